// What a model of images or series reads, beside the views: one of the two panels, or neither.
import { CellRef } from "./grid";
import { InputHost, PicturePanel } from "./picture_panel";
import { SeriesPanel } from "./series_panel";
import { Session } from "./session";

export class InputPanels {
  readonly picture: PicturePanel;
  readonly series: SeriesPanel;

  constructor(private readonly session: Session, host: InputHost) {
    this.picture = new PicturePanel(session, host);
    this.series = new SeriesPanel(session, host);
  }

  async draw(): Promise<void> {
    await Promise.all([this.picture.draw(), this.series.draw()]);
  }

  /// Shows the patches of a cell that is pointed at.
  point(cell: CellRef | undefined): void {
    const axes = cell && this.session.network.values.get(cell.name)?.axes;
    const at = (axis: string) => (axes && axes.includes(axis) ? cell.index[axes.indexOf(axis)] : undefined);
    this.mark(at("T"), at("S"));
  }

  mark(query: number | undefined, key?: number): void {
    if (this.session.picture) this.picture.mark(query, key);
    if (this.session.series) this.series.mark(query, key);
  }
}

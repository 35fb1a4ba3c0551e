// Elements, written shortly.

type Child = Node | string | null | undefined | false;
type Attributes = Record<string, unknown>;

/// h("button", {class: "chip", onclick: ...}, "text"): attributes that are functions listen; false and
/// undefined are left out; true stands without a value.
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  set(element, attributes);
  element.append(...children.filter((child): child is Node | string => !!child || child === ""));
  return element;
}

export function svg(name: string, attributes: Attributes = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  set(element, attributes);
  element.append(...children.filter((child): child is Node | string => !!child));
  return element;
}

function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else if (name === "style" && value && element instanceof HTMLElement)
      for (const [property, given] of Object.entries(value as Record<string, string>))
        element.style.setProperty(property, given);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(name, String(value));
  }
}

/// Calls once, `wait` milliseconds after the last call.
export function debounced<T extends unknown[]>(wait: number, call: (...given: T) => void): (...given: T) => void {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => call(...given), wait);
  };
}

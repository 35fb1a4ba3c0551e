// What operations say of themselves, in German. The keys are the engine's own words (src/ops, src/network):
// what is missing here is shown as the engine says it.
export const engineGerman: Record<string, string> = {
  "Embedding Layer": "Embedding",
  "Each token picks its own row of a learned table of vectors.": "Jedes Token nimmt seine Zeile aus einer gelernten Tabelle von Vektoren.",
  "Add": "Addieren",
  "Add Positions": "Positionen addieren",
  "Layer Norm": "Layer Norm",
  "RMS Norm": "RMS Norm",
  "Linear Transform (Q)": "Lineare Abbildung (Q)",
  "Linear Transform (K)": "Lineare Abbildung (K)",
  "Linear Transform (V)": "Lineare Abbildung (V)",
  "Linear Transform (O)": "Lineare Abbildung (O)",
  "Rotary Positions": "Rotierende Positionen",
  "Rotary Angles": "Drehwinkel",
  "Dot Product": "Skalarprodukt",
  "Scale": "Skalieren",
  "Mask": "Maske",
  "Softmax": "Softmax",
  "Weighted Sum": "Gewichtete Summe",
  "Concatenate Heads": "Köpfe verketten",
  "Feed-Forward (in)": "Feed-Forward (hinein)",
  "Feed-Forward (out)": "Feed-Forward (heraus)",
  "Output Layer": "Ausgabeschicht",
  "What each token is looking for.": "Wonach jedes Token sucht.",
  "What each token offers to be found by.": "Womit jedes Token sich finden lässt.",
  "What each token passes on when it is attended to.": "Was jedes Token weitergibt, wenn auf es gesehen wird.",
  "The further on a token stands, the more its numbers turn: the first pairs fast, the last ones slowly.":
    "Je weiter hinten ein Token steht, desto mehr drehen sich seine Zahlen: die ersten Paare schnell, die letzten langsam.",
  "Turns each pair of numbers by its position's angle, so that a match depends on how far apart two tokens are.":
    "Dreht jedes Zahlenpaar um den Winkel seiner Position, damit es vom Abstand zweier Token abhängt, wie gut sie passen.",
  "Each query is compared with each key: the better they match, the higher the score.":
    "Jede Query wird mit jedem Key verglichen: je besser sie passen, desto höher der Score.",
  "Keeps the scores from growing with the width of a head.": "Verhindert, dass die Scores mit der Breite eines Kopfes wachsen.",
  "A token may look at itself and those before it; the scores of later ones become -inf.":
    "Ein Token darf auf sich und die vor ihm sehen; die Scores der späteren werden −∞.",
  "Turns each row of scores into weights that add up to 1.": "Macht aus jeder Zeile von Scores Gewichte, die zusammen 1 ergeben.",
  "Each token gathers the values of the tokens it looks at, by their weights.":
    "Jedes Token sammelt die Values der Token, auf die es sieht, nach ihren Gewichten.",
  "Lays the results of all attention heads side by side in one row.": "Legt die Ergebnisse aller Köpfe in einer Zeile nebeneinander.",
  "Joins what the heads have gathered.": "Führt zusammen, was die Köpfe gesammelt haben.",
  "Adds what attention gathered to what the token already was.": "Addiert, was die Attention gesammelt hat, zu dem, was das Token schon war.",
  "Brings every token's numbers to the same size before attention.": "Bringt die Zahlen jedes Tokens vor der Attention auf die gleiche Größe.",
  "Brings every token's numbers to the same size before the feed-forward layer.":
    "Bringt die Zahlen jedes Tokens vor der Feed-Forward-Schicht auf die gleiche Größe.",
  "Brings every token's numbers to the same size before the prediction.": "Bringt die Zahlen jedes Tokens vor der Vorhersage auf die gleiche Größe.",
  "Looks at each token alone, through many small detectors.": "Sieht jedes Token für sich an, durch viele kleine Detektoren.",
  "Keeps the detectors that found something and silences the others.": "Lässt die Detektoren stehen, die etwas gefunden haben, und stellt die anderen still.",
  "Writes what was detected back in the width of the model.": "Schreibt, was gefunden wurde, in der Breite des Modells zurück.",
  "Adds what the feed-forward layer found to what the token already was.": "Addiert, was die Feed-Forward-Schicht fand, zu dem, was das Token schon war.",
  "One score per token that could come next.": "Ein Score je Token, das als nächstes kommen könnte.",
  "The scores become the probabilities of the next token.": "Aus den Scores werden die Wahrscheinlichkeiten des nächsten Tokens.",
};

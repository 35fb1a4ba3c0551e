// The quiz in German: the engine's questions say what they are and name their facts (docs/explore-protocol.md).
export type Facts = Record<string, string>;

const z = (word: string) => `„${word}“`;

export const germanChoices: Record<string, (f: Facts) => string> = {
  shortest: () => "Es ist das kürzeste Token",
  masked: () => "Es darf nur auf sich selbst sehen: spätere Token sind maskiert",
  zero_query: () => "Seine Query ist null",
  rounded: () => "Softmax rundet kleine Gewichte auf null",
  count: () => "Die Anzahl der Token",
  width: () => "Die Breite eines Kopfes",
  one: () => "Eins",
  anything: () => "Irgendetwas",
  query_key: (f) => `die Query von ${z(f.query)} und der Key von ${z(f.key)}`,
  query_value: (f) => `die Query von ${z(f.query)} und der Value von ${z(f.key)}`,
  embeddings: (f) => `die Embeddings von ${z(f.query)} und ${z(f.key)}`,
  values: (f) => `die Values von ${z(f.query)} und ${z(f.key)}`,
  value: (f) => `der Value von ${z(f.key)}`,
  key: (f) => `der Key von ${z(f.key)}`,
  query: (f) => `die Query von ${z(f.query)}`,
  score: (f) => `der Score von ${z(f.key)}`,
};

export const germanQuestions: Record<string, (f: Facts) => { text: string; explanation: string }> = {
  largest_weight: (f) => ({
    text: `Schicht ${f.layer}, Kopf ${f.head}: auf welches Token sieht ${z(f.query)} am meisten?`,
    explanation: `Auf ${z(f.answer)}, mit einem Gewicht von ${f.weight}.`,
  }),
  masked_row: (f) => ({
    text: `Warum ist die Zeile von ${z(f.first)} in der Karte der Gewichte fast leer?`,
    explanation: "Eine Maske verbirgt, was später kommt: das erste Token kann nur auf sich selbst sehen.",
  }),
  sum_of_row: (f) => ({
    text: `Was ergeben die Gewichte in der Zeile von ${z(f.first)} zusammen?`,
    explanation: "Softmax lässt jede Zeile von Gewichten zusammen eins ergeben, mit und ohne Maske.",
  }),
  comes_next: (f) => ({
    text: `Welches Token erwartet das Netz nach ${f.text ? f.text.replace(/^"(.*)"$/s, "„$1“") : f.place ? `${z(f.token)} (Stelle ${f.place})` : `„... ${f.token}“, dem letzten Token`}?`,
    explanation: `${z(f.answer)}, mit einer Wahrscheinlichkeit von ${f.probability}.`,
  }),
  likeliest_here: (f) => ({
    text: `Was findet das Netz bei ${z(f.token)} (Stelle ${f.place}) am wahrscheinlichsten?`,
    explanation: `${z(f.answer)}, mit einer Wahrscheinlichkeit von ${f.probability}.`,
  }),
  likeliest_class: (f) => ({
    text: "Welche Klasse erwartet das Netz?",
    explanation: `${z(f.answer)}, mit einer Wahrscheinlichkeit von ${f.probability}.`,
  }),
  rows_of_score: (f) => ({
    text: `Der Score von ${z(f.query)} mit ${z(f.key)} ist ${f.score}, bevor er skaliert wird. Welche zwei Zeilen wurden multipliziert?`,
    explanation: `Wer sieht, fragt mit seiner Query; wer gesehen wird, antwortet mit seinem Key: die ${f.width} Produkte ihrer Zahlen ergeben zusammen ${f.score}.`,
  }),
  largest_score: (f) => ({
    text: `Schicht ${f.layer}, Kopf ${f.head}: wessen Key hat den größten Score mit der Query von ${z(f.query)}?`,
    explanation: `${z(f.answer)} mit ${f.score}, dann ${z(f.second)} mit ${f.second_score}. Softmax behält diese Reihenfolge: ein größerer Score ist ein größeres Gewicht.`,
  }),
  scaled_score: (f) => ({
    text: `Das Skalarprodukt einer Query und eines Keys ist ${f.raw}, und ein Kopf ist ${f.width} Zahlen breit. Was ist der skalierte Score?`,
    explanation: `Er wird durch die Wurzel der Breite geteilt: ${f.raw} / √${f.width} = ${f.answer}. Sonst hätten breite Köpfe große Scores, und Softmax sähe nur den größten.`,
  }),
  what_is_gathered: (f) => ({
    text: `${z(f.query)} sieht auf ${z(f.key)} mit einem Gewicht von ${f.weight}. Was wird mit diesem Gewicht multipliziert und zu dem addiert, was ${z(f.query)} sammelt?`,
    explanation: `Queries und Keys entscheiden nur über die Gewichte; gesammelt werden Values. Die erste Zahl dieses Values ist ${f.first}.`,
  }),
  which_head: (f) => ({
    text: `Welcher Kopf der Schicht ${f.layer} lässt ${z(f.query)} am meisten auf ${z(f.key)} sehen?`,
    explanation: `In Kopf ${f.answer} ist das Gewicht ${f.weight}, in Kopf ${f.second} nur ${f.second_weight}: jeder Kopf hat eigene Queries und Keys und sieht darum auf seine Weise.`,
  }),
  ratio_of_probabilities: (f) => ({
    text: `Nach ${z(f.query)} ist das Logit von ${z(f.first)} ${f.first_logit} und das von ${z(f.second)} ${f.second_logit}. Wievielmal so wahrscheinlich ist das erste?`,
    explanation: `exp(${f.first_logit} − ${f.second_logit}) = ${f.answer}: Softmax macht aus Unterschieden von Scores Verhältnisse von Wahrscheinlichkeiten.`,
  }),
};

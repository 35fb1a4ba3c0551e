// What a training run says of its reports (src/train/report.cpp), in German: phrase by phrase, in this order.
// A sentence of which something stays is shown as the engine says it.
const german: [RegExp, string][] = [
  [/^the loss is not a number any more: lower the learning rate$/, "der Loss ist keine Zahl mehr: die Lernrate senken"],
  [/\bheld-out error\b/g, "Fehler am Zurückgehaltenen"],
  [/^before learning: a mean squared error of/, "vor dem Lernen: ein mittlerer quadratischer Fehler von"],
  [/\bvalidation loss\b/g, "Loss am Zurückgehaltenen"],
  [/\btraining loss\b/g, "Loss am Gelernten"],
  [/\bloss\b/g, "Loss"], [/\berror\b/g, "Fehler"],
  [/^before learning: a /, "vor dem Lernen: ein "], [/ of (?=[\d.]+, as unsure)/, " von "],
  [/, as unsure as among ([\d.]+) alike$/, ", so unsicher wie unter $1 gleichen"],
  [/^the first report:/, "der erste Bericht:"],
  [/^overfitting since epoch/, "Überanpassung seit Epoche"], [/^flat since epoch/, "unverändert seit Epoche"],
  [/: in (\d+) steps the /, ": in $1 Schritten bewegte sich der "], [/ moved by /, " um "],
  [/; still the best so far$/, "; noch das Beste bisher"], [/; best was epoch/, "; am besten war Epoche"],
  [/^improving again by ([\d.]+), but epoch (\d+) was better/, "wieder besser um $1, aber Epoche $2 war besser"],
  [/^worse by ([\d.]+) since epoch (\d+), the best/, "schlechter um $1 als Epoche $2, die beste"],
  [/^improving: the /, "besser: der "], [/^surer, not righter: the /, "sicherer, nicht richtiger: der "],
  [/ rose by /, " stieg um "], [/ fell by /g, " fiel um "], [/, the /, ", der "],
  [/ every 100 steps/, " alle 100 Schritte"], [/, der fastest so far/, ", so schnell wie noch nie"], [/, the fastest so far/, ", so schnell wie noch nie"],
  [/, as fast as before/, ", so schnell wie zuvor"], [/ times as fast as before/, "-mal so schnell wie zuvor"],
  [/, to less than half of where it began/, ", auf weniger als die Hälfte des Anfangs"],
  [/, right ([\d.]+) points more often$/, ", $1 Prozentpunkte öfter richtig"], [/, right ([\d.]+) points less often$/, ", $1 Prozentpunkte seltener richtig"],
  [/, ([\d.]+)% right since epoch (\d+)$/, ", $1% richtig seit Epoche $2"],
];
const english = /\b(the|than|since|before|by|was|right|steps|so far|often)\b/;

export function germanObservation(text: string): string {
  const said = german.reduce((all, [phrase, words]) => all.replace(phrase, words), text);
  return english.test(said) ? text : said;
}

#!/bin/bash
# Draws every figure and writes docs/gallery.md, which shows them: scripts/gallery.sh [PROGRAM]
#
# The figures are those of docs/images/gallery/, light and dark; the same program draws the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
limpid=${1:-build/release/limpid}
[ -x "$limpid" ] || { echo "gallery.sh: $limpid is not there; build it first: make demo" >&2; exit 1; }
images=docs/images/gallery
page=docs/gallery.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$images"
mkdir -p "$images"

cat >"$work/page" <<'EOF'
# Gallery

Every figure that `limpid draw` knows, written by `scripts/gallery.sh` from runs of the built-in model and of the
textbook's network. Each command draws the same with another ending: `limpid draw --help` lists the formats.
EOF

figure() {  # figure NAME WORDS ARGUMENTS...: draws it light and dark, and shows it
  local name=$1 words=$2
  shift 2
  "$limpid" draw "$@" --theme light -o "$images/$name-light.svg"
  "$limpid" draw "$@" --theme dark -o "$images/$name-dark.svg"
  local shown=
  local word
  for word in "$@"; do
    case $word in *' '*) shown="$shown \"$word\"" ;; *) shown="$shown $word" ;; esac
  done
  {
    printf '\n## %s\n\n```\nlimpid draw%s -o %s.svg\n```\n\n' "$words" "$shown" "$name"
    printf '<picture>\n  <source media="(prefers-color-scheme: dark)" srcset="images/gallery/%s-dark.svg">\n' "$name"
    printf '  <img src="images/gallery/%s-light.svg" width="100%%" alt="%s">\n</picture>\n' "$name" "$words"
  } >>"$work/page"
}

text="Life is short"
for theme in light dark; do  # what the README opens with
  "$limpid" draw --network textbook --theme $theme -o docs/images/textbook-$theme.svg
done
figure textbook "The textbook's network" network --network textbook
figure textbook-all "The same with every optional part" network --network textbook --heads 2 --positions sinusoidal \
  --add-norm --mask causal --output class
figure network "The built-in model, its blocks drawn once" network
figure network-open "One block open, the others closed, with what each has learned" network --open blocks.1 --params
figure attention "The inside of one attention layer" attention --text "$text"
figure token "One token's way through a head" token --network textbook --mask causal
figure token-builtin "The same in the built-in model" token --text "Once upon a time there was a" --layer 1 --head 1
figure matrices "One head as the matrices it multiplies" matrices --network textbook
figure matrices-builtin "The same in the built-in model" matrices --text "$text" --layer 1 --head 1
figure heads "Every head of every layer" heads --text "Once upon a time there was a little house in the wood."
figure head "One head: who looks at whom" heads --text "Once upon a time there was a little house in the wood." \
  --layer 2 --head 3
figure attention-on-text "What the prediction of the next token looks at" attention-on-text \
  --text "Once upon a time there was a little house in the wood."

# A training run of a few seconds, for its log.
"$limpid" train recipes/textbook.json -o "$work/textbook" >/dev/null 2>&1
figure training "A training run, epoch by epoch" training "$work/textbook/log.jsonl"
# Letters that come twice: heads of the second layer learn to look at what followed.
python3 - >"$work/repeats.txt" <<'EOF'
import random
draw = random.Random(1)
for _ in range(4000):
    print("".join(draw.sample("abcdefghijklmnopqrstuvwxyz", draw.randint(8, 14)) * 2))
EOF
cat >"$work/repeats.json" <<'EOF'
{"data": ["repeats.txt"], "network": {"network": "gpt", "layers": 2, "heads": 2, "width": 64, "context": 32, "positions": "rotary"},
 "steps": 1500, "batch": 32, "context": 32, "epoch": 250, "learning_rate": 0.003, "warm_up": 50, "validation": 0.05,
 "watch": ["sycidsycid"]}
EOF
"$limpid" train "$work/repeats.json" -o "$work/repeats" >/dev/null 2>&1
figure learning "Heads while they learn, step by step" learning "$work/repeats" --layer 1
sed -i "s|$work/||" "$work/page"  # where the reader's own run keeps it

# A few pages of the deck.
pages=$({ "$limpid" draw slides --network textbook --format svg -o - 2>&1 || true; } | sed -n 's/.*has \([0-9]*\);.*/\1/p')
for number in 1 5 9 $((pages - 3)) $((pages - 2)); do
  figure "slides-$number" "The deck, page $number of $pages" slides --network textbook --page "$number"
done
mv "$work/page" "$page"
echo "$page: $(grep -c '^## ' "$page") figures"

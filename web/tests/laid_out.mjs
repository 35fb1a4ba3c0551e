// Whether a page is laid out whole: what scrolls sideways, which texts are cut off, which lie on each other.

function find() {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) faults.push(`the page is ${root.scrollWidth} wide, in ${innerWidth}`);
  const scope = document.querySelector("dialog[open]") ?? document.body;
  const shown = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && !element.closest(".visually-hidden");
  const named = (element) => `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}"> ${element.textContent.trim().slice(0, 50)}`;

  // What hides its overflow and has more text than room; where the whole is said elsewhere (title), it may.
  for (const element of scope.querySelectorAll("*")) {
    if (!shown(element) || element.clientWidth <= 1 || ["CANVAS", "INPUT", "SELECT", "OPTION"].includes(element.tagName) || element.closest("svg")) continue;
    const style = getComputedStyle(element);
    const [x, y] = [style.overflowX, style.overflowY].map((each) => each === "hidden" || each === "clip");
    if (!x && !y) continue;
    const cut = (x && element.scrollWidth > element.clientWidth + 1) || (y && element.scrollHeight > element.clientHeight + 2);
    if (cut && element.textContent.trim() && !element.title && !element.closest("[title]")) faults.push(`cut off: ${named(element)} (${element.scrollWidth}x${element.scrollHeight} in ${element.clientWidth}x${element.clientHeight})`);
  }
  // A choice whose chosen words do not fit.
  for (const select of scope.querySelectorAll("select")) {
    if (!shown(select)) continue;
    const context = document.createElement("canvas").getContext("2d");
    context.font = getComputedStyle(select).font;
    const needed = context.measureText(select.selectedOptions[0]?.textContent ?? "").width;
    if (needed > select.clientWidth - 4) faults.push(`cut off: <select class="${select.className}"> ${select.selectedOptions[0].textContent}`);
  }

  // Texts by their boxes: what scrolls away is not seen; what floats above the page lies on it.
  const layer = (element) => {
    for (let at = element; at && at !== document.body; at = at.parentElement) if (["fixed", "sticky"].includes(getComputedStyle(at).position)) return at;
    return document.body;
  };
  const boxes = [];
  const walker = document.createTreeWalker(scope, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || ["SCRIPT", "STYLE", "OPTION"].includes(element.tagName) || !shown(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    let seen = { left: -Infinity, top: -Infinity, right: Infinity, bottom: Infinity };
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const box = at.getBoundingClientRect();
      seen = { left: Math.max(seen.left, box.left), top: Math.max(seen.top, box.top), right: Math.min(seen.right, box.right), bottom: Math.min(seen.bottom, box.bottom) };
    }
    for (const box of range.getClientRects()) {
      const [left, right, top, bottom] = [Math.max(box.left, seen.left), Math.min(box.right, seen.right), Math.max(box.top, seen.top) + box.height * 0.15, Math.min(box.bottom, seen.bottom) - box.height * 0.15];
      if (right - left > 1 && bottom - top > 1) boxes.push({ left, right, top, bottom, element, layer: layer(element), turned: element.closest(".labels-top.turned"), text: node.data.trim().slice(0, 40) });
    }
  }
  boxes.sort((a, b) => a.top - b.top);
  boxes.forEach((a, i) => {
    for (let k = i + 1; k < boxes.length && boxes[k].top < a.bottom; ++k) {
      const b = boxes[k];
      if (a.element === b.element || a.layer !== b.layer) continue;
      // Words that are turned: what lies between two of them, not their upright boxes.
      if (a.turned && a.turned === b.turned && Math.abs(a.left - b.left) * Math.sin((55 * Math.PI) / 180) > 9) continue;
      if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5 && Math.min(a.bottom, b.bottom) - b.top > 1.5) faults.push(`on each other: “${a.text}” (${a.element.className}) and “${b.text}” (${b.element.className}) at ${Math.round(b.left)},${Math.round(b.top)}`);
    }
  });
  return [...new Set(faults)].slice(0, 20);
}

export async function layoutFaults(page) {
  return page.evaluate(find);
}

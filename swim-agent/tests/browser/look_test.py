"""The page in a real browser: how it looks, and whether everybody can use it."""

import unittest

from selenium.webdriver.common.keys import Keys

from support import PageTest, until


# Contrast of every text on the screen with what is behind it, as WCAG 2 counts it; those below 4.5.
CONTRAST = """
const parse = (color) => {
  const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
  return color.startsWith('color(srgb') ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
};
const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a), 1];
const behind = (element) => {
  const layers = [];
  for (let at = element; at !== null; at = at.parentElement) {
    layers.push(parse(getComputedStyle(at).backgroundColor));
    if (layers.at(-1)[3] === 1) break;
  }
  return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255, 1]);
};
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const low = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let texts = 0;
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (walker.currentNode.textContent.trim() === '' || !element.checkVisibility() || element.closest('.hidden, :disabled, noscript')) continue;
  texts += 1;
  const back = behind(element);
  const fore = over(parse(getComputedStyle(element).color), back);
  const [a, b] = [light(fore), light(back)].sort((x, y) => y - x);
  const contrast = (a + 0.05) / (b + 0.05);
  if (contrast < 4.5) low.push(`${contrast.toFixed(2)}: ${walker.currentNode.textContent.trim()} (${element.className || element.tagName})`);
}
return [texts, low];
"""

# What a screen reader would stumble over.
STRUCTURE = """
const wrong = [];
const all = (selector) => [...document.querySelectorAll(selector)];
const ids = all('[id]').map((element) => element.id);
for (const id of ids) if (ids.filter((other) => other === id).length > 1) wrong.push(`two of #${id}`);
for (const element of all('[aria-labelledby], [aria-describedby]')) {
  for (const name of ['aria-labelledby', 'aria-describedby']) {
    for (const id of (element.getAttribute(name) ?? '').split(' ').filter((id) => id !== '')) {
      if (document.getElementById(id) === null) wrong.push(`${name} of nobody: ${id}`);
    }
  }
}
for (const element of all('button')) {
  if (element.textContent.trim() === '' && !element.ariaLabel) wrong.push(`a button without a name: ${element.outerHTML}`);
}
for (const element of all('input')) {
  if (!element.ariaLabel && element.labels.length === 0) wrong.push(`a field without a label: ${element.id}`);
}
for (const element of all('img')) if (!element.hasAttribute('alt')) wrong.push('an image without alt');
for (const element of all('svg')) {
  if (element.getAttribute('role') !== 'img' || element.querySelector('title')?.textContent === '' || element.querySelector('desc')?.textContent === '') wrong.push('a plot without a text');
}
for (const element of all('th')) if (!element.scope) wrong.push(`a header without scope: ${element.textContent}`);
for (const selector of ['header', 'main', 'h1', 'table caption', 'nav[aria-label]', '[role=search][aria-label]', '[aria-live=polite]']) {
  if (all(selector).length !== 1) wrong.push(`${all(selector).length} of ${selector}`);
}
for (const element of all('section')) if (!element.hasAttribute('aria-labelledby') && !element.closest('dialog')) wrong.push('a section without a name');
let level = 0;
for (const heading of all('h1, h2, h3')) {
  const now = Number(heading.tagName[1]);
  if (now > level + 1 && !heading.closest('dialog')) wrong.push(`${heading.textContent} skips a level`);
  level = now;
}
if (document.documentElement.lang !== 'en') wrong.push('no language');
for (const element of all('[tabindex]')) if (element.tabIndex > 0) wrong.push('an order of its own');
return wrong;
"""


class Looks(PageTest):
    def full(self):
        """A page with something of everything: states, events, details."""
        a, *others = self.cluster("a", "b", "c", "d" * 200)
        self.open(a)
        until("all are there", lambda: len(self.rows()) == 4)
        others[0].process.kill()
        others[1].run("leave")
        long = "x" * 150
        others[2].run("meta", "set", f"{long}={long}")
        a.run("event", long, long)
        until("one is dead", lambda: "b:dead" in self.rows() and "c:left" in self.rows())
        until("plots are drawn", lambda: self.text("svg desc").startswith("Now"))
        until("the event is there", lambda: long in self.text("#events"))

    def test_texts_can_be_read_in_both_themes_and_by_screen_readers(self):
        self.full()
        for scheme in ["light", "dark"]:
            self.prefer(scheme=scheme)
            self.check_contrast(scheme)
            self.one("#rows tr:nth-child(2) button").click()
            until("the details are there", lambda: "History" in self.one("#detail").text)
            self.check_contrast(f"{scheme}, details")
            self.assertEqual(self.js(STRUCTURE), [])
            self.picture(f"detail-{scheme}")
            self.one("#detail-close").click()

    def check_contrast(self, what):
        texts, low = self.js(CONTRAST)
        self.assertGreater(texts, 50)
        self.assertEqual(low, [], what)

    def test_light_and_dark_follow_the_system_until_somebody_chooses(self):
        a = self.agent("a")
        self.open(a)
        back = "return getComputedStyle(document.body).backgroundColor"
        light = self.js(back)
        self.prefer(scheme="dark")
        dark = self.js(back)
        self.assertNotEqual(light, dark)
        button = self.one("#theme")
        self.assertEqual(button.text, "Theme: system")
        button.click()
        self.assertEqual((button.text, self.js(back)), ("Theme: light", light))
        self.driver.refresh()
        self.assertEqual(self.js(back), light, "it is kept")
        self.one("#theme").click()
        self.prefer(scheme="light")
        self.assertEqual((self.text("#theme"), self.js(back)), ("Theme: dark", dark))
        self.one("#theme").click()
        self.assertEqual(self.js(back), light)

    def test_a_phone_has_all_of_it_without_scrolling_sideways(self):
        self.full()
        for width in [360, 320, 600, 768, 900, 1030, 1280, 1362, 1440]:
            self.emulate(width, 780)
            # A long name is shown whole to who comes to it by keyboard.
            self.one("#rows tr:nth-child(3) button").send_keys(Keys.ARROW_DOWN)
            self.assertEqual(self.js("return document.activeElement.querySelector('.short').checkVisibility()"), False)
            wide = self.js("return document.documentElement.scrollWidth")
            self.assertLessEqual(wide, width)
            beyond = self.js("""return [...document.querySelectorAll('body *:not(.skip, .hidden)')].filter((element) =>
                element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 1).map((element) => element.outerHTML.slice(0, 80))""")
            self.assertEqual(beyond, [], f"at {width}")
            self.one("#rows tr:nth-child(2) button").click()
            until("the details are there", lambda: "History" in self.one("#detail").text)
            box = self.js("const box = document.querySelector('#detail').getBoundingClientRect(); return [box.left, box.right]")
            self.assertTrue(box[0] >= 0 and box[1] <= width, f"{box} at {width}")
            self.one("#detail-close").click()
        self.emulate(360, 780)
        for button in ["#theme", "#toggles button", "#head button"]:
            self.assertGreaterEqual(self.js("return document.querySelector(arguments[0]).offsetHeight", button), 24)

    def test_nothing_moves_for_those_who_want_it_still(self):
        a = self.agent("a")
        self.open(a)
        moving = "return document.getAnimations().length"
        self.assertGreater(self.js(moving), 0)
        self.prefer(motion="reduce")
        until("it stands still", lambda: self.js(moving) == 0)

    def test_plots_say_what_they_show(self):
        a, _ = self.cluster("a", "b")
        self.open(a)
        until("samples are drawn", lambda: "Now: alive 2" in self.text("svg desc"))
        self.assertEqual(self.js("return [...document.querySelectorAll('svg title')].map((title) => title.textContent)"),
                         ["Members", "Messages", "Bytes"])
        self.assertRegex(self.text(".plot:nth-child(2) .legend"), r"sent [\d.]+/s.*received [\d.]+/s")


if __name__ == "__main__":
    unittest.main(verbosity=2)

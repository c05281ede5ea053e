// Before the first paint, and not a module for that reason: light, dark, or what the system says.
(() => {
  const root = document.documentElement;
  const kept = () => {
    try {
      return localStorage.getItem('swim-theme') ?? 'system';
    } catch {
      return 'system'; // Storage may be forbidden.
    }
  };
  const show = (theme) => {
    if (theme === 'system') delete root.dataset.theme;
    else root.dataset.theme = theme;
  };
  show(kept());
  document.addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    let theme = kept();
    const say = () => { button.textContent = `Theme: ${theme}`; };
    button.addEventListener('click', () => {
      theme = { system: 'light', light: 'dark', dark: 'system' }[theme] ?? 'light';
      try {
        localStorage.setItem('swim-theme', theme);
      } catch {
        // It then holds for this page.
      }
      show(theme);
      say();
    });
    say();
  });
})();

// Follows the job of the tab OWF: presses its hidden buttons while one runs, and once more when it has ended.
(() => {
  const EVERY = 1000; // milliseconds between two looks
  let shown = null; // id of the job whose results are on the page

  const root = () => (typeof gradioApp === "function" ? gradioApp() : document);
  const press = (id) => {
    const found = root().querySelector(`#${id}`);
    if (found) (found.matches("button") ? found : found.querySelector("button"))?.click();
  };

  setInterval(() => {
    const status = root().querySelector("#owf_status [data-owf-state]");
    if (!status || document.hidden) return;
    const { owfState: state, owfJob: job } = status.dataset;
    if (shown === null) {
      // The page was just loaded: it shows what was there when the host drew it.
      shown = "";
      press("owf_poll");
      press("owf_show");
    } else if (state === "running") {
      press("owf_poll");
      shown = "";
    } else if (job && shown !== job) {
      shown = job;
      press("owf_show");
    }
  }, EVERY);
})();

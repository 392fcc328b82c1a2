// A 3D model stands on the page as a still picture; this lets a reader turn it.
// The viewer is loaded from the site itself, when it is asked for. Without WebGL the picture stays.
(() => {
  const library = new URL("vendor/model-viewer/model-viewer-umd.min.js", document.currentScript.src).href;
  let loading;

  const load = () => (loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.onload = done;
    script.onerror = failed;
    script.src = library;
    document.head.append(script);
  }));

  const drawable = () => Boolean(document.createElement("canvas").getContext("webgl2"));

  async function turn(button, picture, address) {
    button.disabled = true;
    if (!drawable()) {
      button.textContent = "This browser cannot turn models";
      return;
    }
    try {
      await load();
    } catch {
      button.textContent = "The viewer did not load";
      return;
    }
    const viewer = document.createElement("model-viewer");
    viewer.alt = picture.alt;
    viewer.src = address;
    viewer.setAttribute("camera-controls", "");
    viewer.setAttribute("touch-action", "pan-y");
    viewer.setAttribute("interaction-prompt", "none");
    viewer.setAttribute("shadow-intensity", "0.6");
    viewer.setAttribute("camera-orbit", "30deg 60deg 80%");
    const told = document.createElement("span");
    told.setAttribute("role", "status");
    told.textContent = "Loading the model. ";
    viewer.addEventListener("poster-dismissed", () => {
      told.textContent = "Drag the model, or turn it with the arrow keys. ";
      viewer.shadowRoot.querySelector("[tabindex]").focus();
    });
    viewer.addEventListener("error", () => {
      told.textContent = "The model could not be shown. ";
      viewer.replaceWith(picture);
    });
    button.replaceWith(told);
    picture.replaceWith(viewer);
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const place of document.querySelectorAll(".model")) {
      const button = place.querySelector("button");
      const address = place.closest("figure").querySelector("a[download]").href;
      // No browser lets a page on the disk read another file; a model in the page itself can be shown there too.
      if (location.protocol !== "file:" || address.startsWith("data:")) {
        button.hidden = false;
        button.addEventListener("click", () => turn(button, place.querySelector("img"), address));
      }
    }
  });
})();

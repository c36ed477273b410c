/** Lets the code that the page shows be copied; all else it does without scripts. */

import { copyButton } from "../shared/copying.js";
import { find } from "../shared/dom.js";
import { text } from "../shared/text.js";

if (document.querySelector("#code") !== null) {
  const place = find("#code");
  place.append(copyButton(place.textContent ?? "", text("copy.code")));
}

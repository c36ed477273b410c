/** Shows the code that the address brings (`?ref=`), if it is one; anything else is passed over. */

import { copyButton } from "../shared/copying.js";
import { find } from "../shared/dom.js";
import { keepAddress } from "../shared/languages.js";
import { text } from "../shared/text.js";

const CODE = /^[0-9A-HJKMNP-TV-Z]{8,12}$/; // Crockford's alphabet, as codes are issued

keepAddress();
const code = new URLSearchParams(location.search).get("ref")?.toUpperCase() ?? "";
if (CODE.test(code)) {
  find("#code").append(code, copyButton(code, text("copy.code")));
  find("#invitation").hidden = false;
  find("#no-code").hidden = true;
}

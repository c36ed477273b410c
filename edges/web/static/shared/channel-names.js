/** What channels are called, in the language of the page; one that a link has named is called as there. */

import { text } from "./text.js";

/** @type {Record<string, string>} */
const NAMES = {
  whatsapp: text("channel.whatsapp"),
  sms: text("channel.sms"),
  email: text("channel.email"),
  qr: text("channel.qr"),
  unknown: text("channel.unknown"),
  other: text("channel.other"),
};

/** @param {string} channel */
export const channelName = (channel) => (Object.hasOwn(NAMES, channel) ? NAMES[channel] : channel);

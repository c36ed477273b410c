/** The link to share: to copy, by channel, and as a QR code. A channel's link says through which it came. */

import { ApiError } from "../shared/api.js";
import { copyButton } from "../shared/copying.js";
import { announce, element, fill, icon } from "../shared/dom.js";
import { dateAndTime } from "../shared/format.js";
import { save } from "../shared/saving.js";
import { text } from "../shared/text.js";
import { invitationField, invitationOf } from "./invitation.js";
import { drawQr } from "./qr.js";

/**
 * @typedef {import("../shared/api.js").Api} Api
 * @typedef {import("../shared/answers.js").Mentor} Mentor
 */

/** @type {{channel: string, name: string, icon: string, address: (link: string, words: string) => string}[]} */
const CHANNELS = [
  {
    channel: "whatsapp",
    name: text("channel.whatsapp"),
    icon: "chat",
    address: (link, words) => `https://wa.me/?text=${encodeURIComponent(`${words} ${link}`)}`,
  },
  {
    channel: "sms",
    name: text("channel.sms"),
    icon: "phone",
    address: (link, words) => `sms:?&body=${encodeURIComponent(`${words} ${link}`)}`,
  },
  {
    channel: "email",
    name: text("channel.email"),
    icon: "mail",
    address: (link, words) =>
      `mailto:?subject=${encodeURIComponent(text("share.subject"))}&body=${encodeURIComponent(`${words.replaceAll("\n", "\r\n")}\r\n\r\n${link}`)}`,
  },
];

/**
 * @param {HTMLElement} body
 * @param {Mentor} mentor
 * @param {Api} api
 */
export function showShare(body, mentor, api) {
  if (mentor.referralCode === null || mentor.shareUrl === null) {
    fill(body, offer(body, mentor, api));
    return;
  }
  const { referralCode, shareUrl } = mentor;
  if (mentor.linkDisabledAt !== null) {
    fill(body, stopped(referralCode, mentor.linkDisabledAt));
    return;
  }
  const { mentorId } = mentor;
  const ways = CHANNELS.map(({ channel, name, icon: picture, address }) => {
    const way = element(
      "a",
      {
        class: "button",
        target: channel === "whatsapp" ? "_blank" : null,
        rel: "noopener noreferrer",
        "data-channel": channel,
      },
      icon(picture),
      name,
    );
    const lead = () => (way.href = address(withChannel(shareUrl, channel), invitationOf(mentorId)));
    lead();
    return { way, lead };
  });
  const qr = element("div", { class: "qr", "aria-busy": "true" }, element("span", { class: "bone" }));
  fill(
    body,
    element(
      "div",
      { class: "link" },
      element("label", { for: "link" }, text("share.link")),
      element(
        "div",
        { class: "field" },
        element("input", {
          id: "link",
          readonly: true,
          value: shareUrl,
          onfocus: (/** @type {FocusEvent} */ event) => /** @type {HTMLInputElement} */ (event.target).select(),
        }),
        copyButton(shareUrl, text("copy.link"), { label: text("copy.short") }),
      ),
      element(
        "p",
        { class: "code-line" },
        text("share.code"),
        " ",
        element("span", { class: "mentor" }, element("strong", { class: "id" }, referralCode), copyButton(referralCode, text("copy.code"))),
      ),
      ...invitationField(mentorId, () => ways.forEach(({ lead }) => lead())),
      element("h3", {}, text("share.by")),
      element(
        "ul",
        { class: "send" },
        ways.map(({ way }) => element("li", {}, way)),
        "share" in navigator &&
          element(
            "li",
            {},
            element(
              "button",
              { type: "button", class: "button", onclick: () => void shareBySystem(shareUrl, mentorId) },
              icon("share"),
              text("share.more"),
            ),
          ),
      ),
    ),
    qr,
  );
  void showQr(qr, mentor, api);
}

/**
 * A link by which its clicks are told from others.
 *
 * @param {string} shareUrl
 * @param {string} channel
 */
function withChannel(shareUrl, channel) {
  const url = new URL(shareUrl, location.href);
  url.searchParams.set("c", channel);
  return url.href;
}

/**
 * @param {string} url
 * @param {string} mentorId
 */
async function shareBySystem(url, mentorId) {
  try {
    await navigator.share({ text: invitationOf(mentorId), url });
  } catch {
    // closed without sharing
  }
}

/**
 * @param {HTMLElement} place
 * @param {Mentor} mentor
 * @param {Api} api
 */
async function showQr(place, { mentorId, referralCode }, api) {
  try {
    const file = await api.file(`/mentors/${encodeURIComponent(mentorId)}/qr.svg`);
    const picture = drawQr(await file.text(), text("share.qr", { code: referralCode ?? "" }));
    const button = element(
      "button",
      { type: "button", class: "button", onclick: () => save(file, `${referralCode}.svg`) },
      icon("download"),
      text("share.save-qr"),
    );
    fill(place, picture, button);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    fill(place, element("p", { class: "quiet" }, text("share.no-qr")));
  }
  place.removeAttribute("aria-busy");
}

/**
 * What stands in the link's place when it leads nowhere any more.
 *
 * @param {string} referralCode
 * @param {string} since
 */
function stopped(referralCode, since) {
  return element(
    "div",
    { class: "link" },
    element("p", {}, text("share.stopped", { time: dateAndTime(since) })),
    element("p", { class: "code-line" }, text("share.stopped-code"), " ", element("strong", { class: "id" }, referralCode)),
  );
}

/**
 * What stands where there is no code yet: a button that gets one.
 *
 * @param {HTMLElement} body
 * @param {Mentor} mentor
 * @param {Api} api
 */
function offer(body, mentor, api) {
  const fault = element("p", { class: "fault", role: "alert" });
  const button = element("button", { type: "button", class: "button primary", onclick: make }, text("share.make"));

  async function make() {
    button.disabled = true;
    try {
      const made = await api.post(`/mentors/${encodeURIComponent(mentor.mentorId)}/referral-code`);
      announce(text("share.made"));
      const { referralCode, shareUrl, disabledAt: linkDisabledAt } = made;
      showShare(body, { ...mentor, referralCode, shareUrl, linkDisabledAt }, api);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fault.textContent = error.status === 403 ? text("share.ask") : error.message;
      button.disabled = false;
    }
  }
  return element(
    "div",
    { class: "link" },
    element("p", {}, text("share.none")),
    button,
    fault,
  );
}

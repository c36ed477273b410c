/** Finds a mentor by what somebody has of him: his name, his code, his id, or as much of his id as the page shows. */

import { ApiError } from "../shared/api.js";
import { announce, element, fill, find } from "../shared/dom.js";
import { mentorName, mentorPage } from "../shared/mentors.js";
import { text } from "../shared/text.js";

/** @typedef {import("../shared/answers.js").MentorsFound} MentorsFound */

const SHOWN = 10;

/**
 * Open the page of the one who is found; say who they are where there are several, and so where there is none.
 *
 * @param {import("../shared/api.js").Api} api
 * @param {(error: ApiError) => boolean} settle
 */
export async function findMentor(api, settle) {
  const field = /** @type {HTMLInputElement} */ (find("#mentor"));
  /** @type {MentorsFound["mentors"]} */
  let mentors;
  try {
    ({ mentors } = await api.get(`/mentors?find=${encodeURIComponent(field.value)}&limit=${SHOWN + 1}`));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (!settle(error))
      say(error.status === 422 ? text("mentors.find-more") : error.message);
    return;
  }
  if (mentors.length === 1) location.assign(mentorPage(mentors[0].mentorId));
  else if (mentors.length === 0) say(text("mentors.find-none"));
  else if (mentors.length > SHOWN) say(text("mentors.find-many"), mentors.slice(0, SHOWN));
  else say(text("mentors.find-several"), mentors);
}

/**
 * @param {string} words
 * @param {MentorsFound["mentors"]} mentors
 */
function say(words, mentors = []) {
  const place = find("#found");
  fill(
    place,
    element("p", {}, words),
    mentors.length > 0 &&
      element(
        "ul",
        {},
        mentors.map((mentor) => element("li", {}, mentorName(mentor))),
      ),
  );
  place.hidden = false;
  announce(words);
}

/**
 * What the HTTP side answers, as types; nothing of this runs. The Structs are in edges/web/answers.py.
 *
 * @typedef {object} Summary
 * @property {string} orgId
 * @property {string | null} name
 * @property {number} mentors
 * @property {number} activeMentors
 * @property {number} totalClicks
 * @property {number} pendingAttributions
 * @property {number} confirmedAttributions
 * @property {number} conversionRate  0 to 1
 * @property {number} milestones
 * @property {number} awards
 * @property {number} filteredClicks  made by link previews, not by people
 * @property {string | null} updatedAt
 *
 * @typedef {object} Day
 * @property {string} day  YYYY-MM-DD, UTC
 * @property {number} clicks
 * @property {number} pending
 * @property {number} confirmed
 *
 * @typedef {{from: string, to: string, days: Day[]}} Daily
 *
 * @typedef {{channel: string, clicks: number, pending: number, confirmed: number}} Channel
 * @typedef {{channels: Channel[]}} Channels
 *
 * @typedef {object} Entry
 * @property {number} rank
 * @property {string} mentorId
 * @property {string} referralCode
 * @property {number} totalClicks
 * @property {number} pendingAttributions
 * @property {number} confirmedAttributions
 * @property {number} conversionRate
 *
 * @typedef {{entries: Entry[], next: string | null}} Leaderboard
 *
 * @typedef {{mentors: {mentorId: string, referralCode: string | null}[]}} MentorsFound
 *
 * @typedef {object} Milestone
 * @property {string} mentorId
 * @property {number} threshold
 * @property {number} confirmedCount
 * @property {string} reachedAt
 * @property {string} recordedAt
 *
 * @typedef {object} Award
 * @property {string} mentorId
 * @property {string} badgeId
 * @property {string} badgeName
 * @property {number} confirmedCount
 * @property {string} awardedAt
 *
 * @typedef {{milestones: Milestone[], awards: Award[]}} Activity
 *
 * @typedef {object} ReconciliationRun
 * @property {string} source
 * @property {string} startedAt
 * @property {string | null} finishedAt  null: it runs, or did not come to its end
 * @property {number} membersRead
 * @property {number} matched
 * @property {number} backFilled
 * @property {number} withdrawn
 * @property {number} unchanged
 * @property {number} unclear
 * @property {number} badRows
 * @property {boolean} complete
 * @property {string | null} incomplete
 * @property {string | null} error
 * @property {string | null} askAgainAt
 * @property {{place: string, reason: string}[]} rowsLeft
 *
 * @typedef {{runs: ReconciliationRun[]}} Reconciliation
 *
 * @typedef {object} Pipeline
 * @property {{name: string, lag: number}[]} components
 * @property {number} deadLetters
 * @property {"ok" | "behind" | "unreachable"} state
 * @property {string} checkedAt
 *
 * @typedef {object} Mentor
 * @property {string} orgId
 * @property {string} mentorId
 * @property {string | null} referralCode
 * @property {string | null} shareUrl
 * @property {string | null} linkDisabledAt Since when the link leads nowhere; null: it works.
 * @property {{name: string, threshold: number, remaining: number} | null} nextBadge
 *
 * @typedef {object} Counts
 * @property {number} totalClicks
 * @property {number} pendingAttributions
 * @property {number} confirmedAttributions
 * @property {number} conversionRate
 * @property {string | null} updatedAt
 */
export {};

/**
 * What the HTTP side answers, as types; nothing of this runs. The Structs are in edges/web/answers/.
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
 * @property {PeriodCounts} happened  since the beginning
 * @property {string | null} updatedAt
 *
 * @typedef {{clicks: number, registered: number, confirmed: number, withdrawn: number}} PeriodCounts
 * @typedef {PeriodCounts & {day: string}} Day  YYYY-MM-DD, in the organisation's time zone
 * @typedef {{measured: number, medianHours: number | null, p90Hours: number | null}} ConfirmationTime
 * @typedef {PeriodCounts & {from: string, to: string, confirmationTime: ConfirmationTime}} PeriodSums
 * @typedef {PeriodCounts & {channel: string, before: PeriodCounts, parts: PeriodCounts[]}} Channel
 *
 * @typedef {object} History
 * @property {string} timeZone
 * @property {string} today
 * @property {PeriodSums} period
 * @property {PeriodSums} before
 * @property {Day[]} days
 * @property {number} partDays
 * @property {Channel[]} channels
 *
 * @typedef {object} Entry
 * @property {number} rank
 * @property {string} mentorId
 * @property {string} referralCode
 * @property {number} totalClicks
 * @property {number} pendingAttributions
 * @property {number} confirmedAttributions
 * @property {number} conversionRate
 * @property {string | null} displayName  null: known by his pseudonym alone
 * @property {string | null} group
 *
 * @typedef {{entries: Entry[], next: string | null}} Leaderboard
 *
 * @typedef {{mentorId: string, referralCode: string | null, displayName: string | null, group: string | null}} Found
 * @typedef {{mentors: Found[]}} MentorsFound
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
 * @property {string} picture  the name of an icon
 * @property {number} confirmedCount
 * @property {string} awardedAt
 *
 * @typedef {object} RegistrationCounted
 * @property {string} registeredAt
 * @property {string} confirmedAt
 * @property {string | null} withdrawnAt
 * @property {string} channel
 * @property {number | null} partition  where its record stands in the topic; null: that is not kept
 * @property {number | null} offset
 * @property {boolean} crossed
 *
 * @typedef {object} AwardEvidence
 * @property {number} threshold
 * @property {number} confirmedCount
 * @property {string} awardedAt
 * @property {{threshold: number, reachedAt: string, recordedAt: string} | null} milestone  null: none was announced
 * @property {string} topic
 * @property {RegistrationCounted[]} registrations  the latest first
 * @property {boolean} hasMore
 * @property {number} totalClicks
 * @property {{channel: string, clicks: number}[]} clicksByChannel  the most first
 *
 * @typedef {{milestones: Milestone[], awards: Award[], names: Record<string, string>}} Activity
 *
 * @typedef {object} Reached
 * @property {string} mentorId
 * @property {string | null} referralCode
 * @property {string | null} displayName
 * @property {string | null} group
 * @property {number} threshold
 * @property {string} recordedAt
 * @property {string[]} badges  the names of those that it brought
 * @property {string | null} thankedAt
 *
 * @typedef {{reached: Reached[], next: string | null}} JustReached
 *
 * @typedef {object} Listed
 * @property {string} mentorId
 * @property {string | null} referralCode
 * @property {string | null} displayName
 * @property {string | null} group
 * @property {number} totalClicks
 * @property {number} pendingAttributions
 * @property {number} confirmedAttributions
 * @property {string | null} [lastActiveOn]
 * @property {string | null} [pendingSince]
 * @property {number} [pendingForLong]
 * @property {number} [remaining]  of those close to a badge, as is badgeName
 * @property {string} [badgeName]
 *
 * @typedef {object} Decision
 * @property {number} threshold
 * @property {string | null} badgeName  null: it was decided about the milestone as a whole
 * @property {string} reason
 * @property {number} confirmedCount
 * @property {string | null} reachedAt
 * @property {string} decidedAt
 *
 * @typedef {object} Happened
 * @property {"code" | "registrations" | "milestone" | "badge" | "thanked" | "disabled"} kind
 * @property {string} day  YYYY-MM-DD, UTC
 * @property {string | null} at  null: it is of the whole day
 * @property {number | null} threshold
 * @property {string | null} badgeName
 * @property {number | null} pending  by how many they changed
 * @property {number | null} confirmed
 *
 * @typedef {object} Standing
 * @property {{rank: number, sharedWith: number, mentors: number} | null} rank
 * @property {string | null} lastActiveOn
 * @property {number} pendingAttributions
 * @property {number} pendingForLong
 * @property {number} confirmedAttributions
 * @property {Channel[]} channels
 * @property {Decision[]} decisions
 * @property {Happened[]} history
 *
 * @typedef {object} DeadLetter
 * @property {string} letter  partition/offset in the dead letters topic
 * @property {string} writtenAt
 * @property {string} reason
 * @property {string} message  in English
 * @property {string} stage
 * @property {string | null} topic  null: nothing says where it came from
 * @property {number} partition
 * @property {number} offset
 * @property {string | null} referralCode
 * @property {number} records
 * @property {number} bytes
 * @property {boolean} again
 * @property {string | null} replayedAt  null: it was not sent again
 *
 * @typedef {{reason: string, topic: string | null, open: number, replayed: number}} DeadLetterCount
 * @typedef {{counts: DeadLetterCount[], letters: DeadLetter[], next: string | null, listedMax: number, listedDays: number}} DeadLetters
 * @typedef {{letter: string, verdict: "ready" | "sent" | "before" | "refused" | "gone", why: string | null}} ReplayVerdict
 *
 * @typedef {object} RowLeft
 * @property {string} place
 * @property {string} reason  in English
 * @property {string | null} code  null: a version before this one noted it
 * @property {Record<string, string>} values
 *
 * @typedef {{code: string, values: Record<string, string>}} Fault
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
 * @property {Fault | null} fault  of error, else of incomplete; null: there is no code for it
 * @property {string | null} askAgainAt
 * @property {RowLeft[]} rowsLeft
 *
 * @typedef {{runs: ReconciliationRun[]}} Reconciliation
 *
 * @typedef {object} MailWish
 * @property {boolean} isSent whether this installation sends mail
 * @property {"summary" | "badges"} topic
 * @property {string | null} address
 * @property {string | null} language
 * @property {string | null} askedAt
 * @property {string | null} confirmedAt
 * @property {string | null} refusedAt
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
 * @property {{name: string, picture: string, threshold: number, remaining: number} | null} nextBadge
 * @property {string | null} displayName  null: known by his pseudonym alone
 * @property {string | null} group
 *
 * @typedef {object} Badge
 * @property {string} badgeId
 * @property {string} badgeName
 * @property {string} picture  the name of an icon
 * @property {boolean} isOwn
 * @property {number} threshold
 * @property {number | null} comesAt  null: no milestone brings it
 * @property {string | null} offSince
 * @property {string | null} madeBy
 * @property {string | null} madeAt
 * @property {string | null} backFilledAt
 * @property {number} backFilled
 *
 * @typedef {{badges: Badge[], thresholds: number[]}} Badges
 *
 * @typedef {object} BadgePreview
 * @property {number} threshold
 * @property {number} due
 * @property {number} held
 * @property {{mentorId: string, referralCode: string | null, displayName: string | null, confirmedAttributions: number}[]} mentors  the first of those due
 *
 * @typedef {object} Counts
 * @property {number} totalClicks
 * @property {number} pendingAttributions
 * @property {number} confirmedAttributions
 * @property {number} conversionRate
 * @property {string | null} updatedAt
 */
export {};

//! Events, rows and rules of the job: no Kafka, no clock.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

pub const CODES: &str = "codes.v1";
pub const CLICKS: &str = "clicks.v1";
pub const REGISTRATIONS: &str = "registrations.v1";
pub const COUNTS: &str = "mentor-counts.v1";
const MILESTONES: &str = "milestones.v1";
const DEAD_LETTERS: &str = "dead-letters.v1";

const THRESHOLDS: [u64; 4] = [1, 5, 10, 25];
const CHANNELS_MAX: usize = 16;
const CHANNEL_LENGTH_MAX: usize = 32;
const WAITING_MAX: usize = 100_000; // for each code
const NAMESPACE: Uuid = Uuid::from_u128(0x6f8a3c52_7d0e_5b1f_9c64_2e1d8b7a4f03);

#[derive(Deserialize)]
struct CodeIssued<'a> {
    #[serde(borrow)]
    referral_code: Cow<'a, str>,
    org_id: String,
    mentor_id: String,
}

#[derive(Deserialize)]
struct Device<'a> {
    #[serde(borrow)]
    share_channel: Option<Cow<'a, str>>,
}

/// A click or a registration; of a click the last three fields are None.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    referral_code: Cow<'a, str>,
    occurred_at: DateTime<Utc>,
    #[serde(borrow)]
    org_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    device_metadata: Option<Device<'a>>,
    #[serde(borrow)]
    click_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    attribution_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    new_member_id: Option<Cow<'a, str>>,
    status: Option<Status>,
}

#[derive(Deserialize, Serialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    PendingSignup,
    Confirmed,
    Withdrawn, // at the same instant it wins
}

#[derive(Deserialize, Serialize, Default)]
struct Channel {
    clicks: u64,
    pending: u64,
    confirmed: u64,
}

/// The state of a pair of code and member.
#[derive(Deserialize, Serialize)]
pub struct Member {
    status: Status,
    occurred_at: DateTime<Utc>,
    channel: String,
}

/// A mentor's row, as published.
#[derive(Deserialize, Serialize)]
pub struct Mentor {
    org_id: String,
    mentor_id: String,
    referral_code: String,
    total_clicks: u64,
    pending_attributions: u64,
    confirmed_attributions: u64,
    conversion_rate: f64,
    by_channel: HashMap<String, Channel>,
    milestones: Vec<u64>,
    last_event_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct Milestone<'a> {
    milestone_id: Uuid,
    event_type: &'static str,
    org_id: &'a str,
    mentor_id: &'a str,
    milestone_threshold: u64,
    confirmed_count: u64,
    attribution_id: &'a str,
    reached_at: DateTime<Utc>,
}

/// A record of a code that is not issued yet.
#[derive(Deserialize, Serialize)]
pub struct Waited {
    topic: String,
    value: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    Mentors,
    Members,
    Waiting,
}

impl Table {
    pub fn name(self) -> &'static str {
        match self {
            Table::Mentors => "mentors",
            Table::Members => "members",
            Table::Waiting => "waiting",
        }
    }

    pub fn of(name: &str) -> Option<Table> {
        [Table::Mentors, Table::Members, Table::Waiting].into_iter().find(|table| table.name() == name)
    }
}

/// The rows of one partition of the sources, and what the transaction under way has changed or sends.
#[derive(Default)]
pub struct Partition {
    pub mentors: HashMap<String, Mentor>,
    members: HashMap<String, Member>,
    waiting: HashMap<String, Vec<Waited>>,
    /// Rows that the changelog does not have yet.
    pub changed: HashSet<(Table, String)>,
    /// Codes of mentors whose counts are to be published.
    pub counted: HashSet<String>,
    /// Milestones and dead letters: topic, key, value.
    pub outbox: Vec<(&'static str, Vec<u8>, Vec<u8>)>,
}

impl Partition {
    /// Take one record.
    pub fn fold(&mut self, topic: &str, key: &[u8], value: &[u8]) {
        let taken = match topic {
            CODES => serde_json::from_slice(value).ok().map(|issued| self.issue(&issued, key)),
            _ => serde_json::from_slice(value).ok().and_then(|event| self.take(&event, topic, value)),
        };
        if taken.is_none() {
            self.outbox.push((DEAD_LETTERS, key.to_vec(), value.to_vec()));
        }
    }

    /// Open the mentor of a code, and count what waited for it.
    fn issue(&mut self, issued: &CodeIssued, key: &[u8]) {
        let code = issued.referral_code.as_ref();
        if self.mentors.contains_key(code) {
            return;
        }
        self.mentors.insert(code.to_owned(), Mentor::of(issued));
        self.changed.insert((Table::Mentors, code.to_owned()));
        for waited in self.waiting.remove(code).unwrap_or_default() {
            self.changed.insert((Table::Waiting, code.to_owned()));
            self.fold(&waited.topic, key, waited.value.as_bytes());
        }
    }

    /// Count an event; None where it is a dead letter.
    fn take(&mut self, event: &Event, topic: &str, value: &[u8]) -> Option<()> {
        let code = event.referral_code.as_ref();
        let Some(mentor) = self.mentors.get_mut(code) else {
            let waiting = self.waiting.entry(code.to_owned()).or_default();
            if waiting.len() >= WAITING_MAX {
                return None;
            }
            waiting.push(Waited { topic: topic.to_owned(), value: String::from_utf8(value.to_vec()).ok()? });
            self.changed.insert((Table::Waiting, code.to_owned()));
            return Some(());
        };
        if event.org_id.as_ref().is_some_and(|org| *org != mentor.org_id) {
            return None;
        }
        if topic == CLICKS {
            event.click_id.as_ref()?;
            mentor.channel(&event.channel()).clicks += 1;
            mentor.total_clicks += 1;
        } else {
            let (attribution_id, member_id, status) =
                (event.attribution_id.as_ref()?, event.new_member_id.as_ref()?, event.status?);
            let pair = format!("{code}:{member_id}");
            let before = self.members.get(&pair);
            if before.is_some_and(|before| !supersedes(status, event.occurred_at, before)) {
                return Some(());
            }
            let channel = before.map_or_else(|| event.channel(), |before| before.channel.clone());
            if let Some(before) = before {
                mentor.add(&channel, before.status, u64::wrapping_sub);
            }
            mentor.add(&channel, status, u64::wrapping_add);
            self.changed.insert((Table::Members, pair.clone()));
            self.members.insert(pair, Member { status, occurred_at: event.occurred_at, channel });
            for threshold in THRESHOLDS {
                if threshold <= mentor.confirmed_attributions && !mentor.milestones.contains(&threshold) {
                    mentor.milestones.push(threshold);
                    let milestone = mentor.milestone(threshold, attribution_id, event.occurred_at);
                    self.outbox.push((MILESTONES, mentor.key().into_bytes(), milestone));
                }
            }
        }
        mentor.last_event_at = mentor.last_event_at.max(Some(event.occurred_at));
        mentor.conversion_rate = match mentor.total_clicks {
            0 => 0.0,
            clicks => (mentor.confirmed_attributions as f64 / clicks as f64).min(1.0),
        };
        if self.counted.insert(code.to_owned()) {
            self.changed.insert((Table::Mentors, code.to_owned()));
        }
        Some(())
    }

    /// Return a row as the changelog has it; None where there is none any more.
    pub fn row(&self, table: Table, key: &str) -> Option<Vec<u8>> {
        match table {
            Table::Mentors => self.mentors.get(key).map(Mentor::encode),
            Table::Members => self.members.get(key).map(encode),
            Table::Waiting => self.waiting.get(key).map(encode),
        }
    }

    /// Take a row from the changelog.
    pub fn restore(&mut self, table: Table, key: &str, row: Option<&[u8]>) -> serde_json::Result<()> {
        let key = key.to_owned();
        match (table, row) {
            (Table::Mentors, Some(row)) => drop(self.mentors.insert(key, serde_json::from_slice(row)?)),
            (Table::Members, Some(row)) => drop(self.members.insert(key, serde_json::from_slice(row)?)),
            (Table::Waiting, Some(row)) => drop(self.waiting.insert(key, serde_json::from_slice(row)?)),
            (_, None) => drop(self.waiting.remove(&key)), // no other row ever goes
        }
        Ok(())
    }
}

impl Event<'_> {
    fn channel(&self) -> String {
        let named = self.device_metadata.as_ref().and_then(|device| device.share_channel.as_deref()).unwrap_or_default();
        let named: String = named.trim().to_lowercase().chars().take(CHANNEL_LENGTH_MAX).collect();
        if named.is_empty() { "unknown".to_owned() } else { named }
    }
}

impl Mentor {
    fn of(issued: &CodeIssued) -> Mentor {
        Mentor {
            org_id: issued.org_id.clone(),
            mentor_id: issued.mentor_id.clone(),
            referral_code: issued.referral_code.clone().into_owned(),
            total_clicks: 0,
            pending_attributions: 0,
            confirmed_attributions: 0,
            conversion_rate: 0.0,
            by_channel: HashMap::new(),
            milestones: Vec::new(),
            last_event_at: None,
        }
    }

    /// The key of counts and milestones.
    pub fn key(&self) -> String {
        format!("{}:{}", self.org_id, self.mentor_id)
    }

    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// The counts of a channel; past 16 channels those of `other`.
    fn channel(&mut self, name: &str) -> &mut Channel {
        let is_known = self.by_channel.contains_key(name) || self.by_channel.len() < CHANNELS_MAX;
        self.by_channel.entry(if is_known { name } else { "other" }.to_owned()).or_default()
    }

    fn add(&mut self, channel: &str, status: Status, change: fn(u64, u64) -> u64) {
        let place = self.channel(channel);
        match status {
            Status::PendingSignup => {
                place.pending = change(place.pending, 1);
                self.pending_attributions = change(self.pending_attributions, 1);
            }
            Status::Confirmed => {
                place.confirmed = change(place.confirmed, 1);
                self.confirmed_attributions = change(self.confirmed_attributions, 1);
            }
            Status::Withdrawn => {}
        }
    }

    fn milestone(&self, threshold: u64, attribution_id: &str, reached_at: DateTime<Utc>) -> Vec<u8> {
        encode(&Milestone {
            milestone_id: Uuid::new_v5(&NAMESPACE, format!("{}:{threshold}", self.key()).as_bytes()),
            event_type: "recruitment_milestone_reached",
            org_id: &self.org_id,
            mentor_id: &self.mentor_id,
            milestone_threshold: threshold,
            confirmed_count: self.confirmed_attributions,
            attribution_id,
            reached_at,
        })
    }
}

/// Tell whether a registration changes what is known of the member (rule 1).
fn supersedes(status: Status, occurred_at: DateTime<Utc>, before: &Member) -> bool {
    match (status, before.status) {
        (Status::PendingSignup, _) => false,
        (_, Status::PendingSignup) => true,
        _ => (occurred_at, status) > (before.occurred_at, before.status),
    }
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("rows and milestones are JSON")
}

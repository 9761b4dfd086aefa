//! The true state: domains, pushes and callback configurations.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

/// Identifies a push of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PushId(u64);

/// Who pushes; the history distinguishes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushSource {
    Encoder,
    ThirdParty,
}

/// One connection of an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    pub domain: String,
    pub app: String,
    pub stream: String,
    pub started_at: DateTime<Utc>,
    /// May be in the future: the push is on air until then.
    pub ended_at: Option<DateTime<Utc>>,
    pub client_ip: String,
    /// The template, if this is a transcoded rendition. Its name is part of `stream`, too.
    pub rendition: Option<String>,
    pub source: PushSource,
}

impl Push {
    /// A push of an encoder, of no rendition and without an end.
    pub fn new(domain: &str, app: &str, stream: &str, started_at: DateTime<Utc>) -> Self {
        Self {
            domain: domain.to_owned(),
            app: app.to_owned(),
            stream: stream.to_owned(),
            started_at,
            ended_at: None,
            client_ip: "192.0.2.1".to_owned(),
            rendition: None,
            source: PushSource::Encoder,
        }
    }

    #[must_use]
    pub fn ending(mut self, ended_at: DateTime<Utc>) -> Self {
        self.ended_at = Some(ended_at);
        self
    }

    pub fn is_on_air(&self, now: DateTime<Utc>) -> bool {
        self.started_at <= now && self.ended_at.is_none_or(|ended_at| now < ended_at)
    }
}

/// Which servers call back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackArea {
    MainlandChina,
    OutsideMainlandChina,
}

impl CallbackArea {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MainlandChina => "mainland_china",
            Self::OutsideMainlandChina => "outside_mainland_china",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::MainlandChina, Self::OutsideMainlandChina].into_iter().find(|area| area.as_str() == name)
    }
}

/// The callback configuration of a domain. It has no `Debug`, since it holds a key.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackConfiguration {
    pub url: String,
    pub auth_sign_key: Option<String>,
    pub call_back_area: CallbackArea,
}

/// All that the provider knows about the domains of an account.
#[derive(Clone, Default)]
pub struct World {
    domains: BTreeSet<String>,
    pushes: BTreeMap<PushId, Push>,
    callbacks: BTreeMap<String, CallbackConfiguration>,
    last_id: u64,
}

impl World {
    pub fn add_domain(&mut self, domain: &str) {
        self.domains.insert(domain.to_owned());
    }

    /// Makes a domain unknown to the account. Its pushes are kept, but not answered.
    pub fn remove_domain(&mut self, domain: &str) {
        self.domains.remove(domain);
    }

    pub fn knows(&self, domain: &str) -> bool {
        self.domains.contains(domain)
    }

    /// Adds the push, and its domain if it is new.
    pub fn add_push(&mut self, push: Push) -> PushId {
        self.add_domain(&push.domain);
        self.last_id += 1;
        let id = PushId(self.last_id);
        self.pushes.insert(id, push);
        id
    }

    /// Sets the end of a push. Returns whether the push exists.
    pub fn end_push(&mut self, id: PushId, ended_at: DateTime<Utc>) -> bool {
        self.pushes.get_mut(&id).map(|push| push.ended_at = Some(ended_at)).is_some()
    }

    pub fn push(&self, id: PushId) -> Option<&Push> {
        self.pushes.get(&id)
    }

    /// All pushes, in the order in which they were added.
    pub fn pushes(&self) -> impl Iterator<Item = (PushId, &Push)> {
        self.pushes.iter().map(|(id, push)| (*id, push))
    }

    pub fn pushes_of<'a>(&'a self, domain: &'a str) -> impl Iterator<Item = &'a Push> {
        self.pushes.values().filter(move |push| push.domain == domain)
    }

    /// Drops pushes that ended before this time, so that long simulations stay fast. The provider keeps seven days.
    pub fn drop_pushes_ended_before(&mut self, time: DateTime<Utc>) {
        self.pushes.retain(|_, push| push.ended_at.is_none_or(|ended_at| ended_at >= time));
    }

    /// Sets the callback configuration of a domain, and adds the domain if it is new.
    pub fn configure_callbacks(&mut self, domain: &str, configuration: CallbackConfiguration) {
        self.add_domain(domain);
        self.callbacks.insert(domain.to_owned(), configuration);
    }

    pub fn remove_callbacks(&mut self, domain: &str) {
        self.callbacks.remove(domain);
    }

    pub fn callbacks(&self, domain: &str) -> Option<&CallbackConfiguration> {
        self.callbacks.get(domain)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_push_is_on_air_from_its_start_until_just_before_its_end() {
        let start = DateTime::UNIX_EPOCH;
        let end = start + TimeDelta::milliseconds(1_500);
        let push = Push::new("push.example.com", "live", "room1", start).ending(end);
        let moment = TimeDelta::milliseconds(1);
        assert_eq!(
            [start - moment, start, end - moment, end].map(|now| push.is_on_air(now)),
            [false, true, true, false]
        );
    }

    #[test]
    fn ended_pushes_are_dropped_and_others_keep_their_ids() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let mut world = World::default();
        let push = Push::new("push.example.com", "live", "room1", at(0));
        let [old, recent, live] = [Some(10), Some(20), None].map(|end| {
            let id = world.add_push(push.clone());
            assert!(end.is_none_or(|end| world.end_push(id, at(end))));
            id
        });
        world.drop_pushes_ended_before(at(15));
        assert_eq!(world.pushes().map(|(id, _)| id).collect::<Vec<_>>(), [recent, live]);
        assert!(!world.end_push(old, at(30)));
        assert!(world.knows("push.example.com"));
    }
}

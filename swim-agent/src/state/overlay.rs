//! Metadata has two sources: what an agent was configured with, and what was changed at run time.

use std::collections::BTreeMap;

/// Keys and their values.
type Pairs = BTreeMap<String, String>;

/// What was changed at run time, on top of what was configured.
///
/// A key that was set at run time has that value, whatever is configured, until it is removed at
/// run time. A configured key that was removed at run time stays away as long as the configuration
/// says of it what it said then; another value there is news, and applies. Every other key is as
/// configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlay {
    /// What was set.
    pub(super) set: Pairs,
    /// What was removed, with the configured value that it had.
    pub(super) hidden: Pairs,
}

impl Overlay {
    /// `configured` with the changes made at run time.
    pub fn over(&self, configured: &Pairs) -> Pairs {
        let mut all = configured.clone();
        all.retain(|key, value| self.hidden.get(key) != Some(value));
        all.extend(self.set.clone());
        all
    }

    /// The keys that were set, and those that were removed and are still configured.
    pub fn keys(&self) -> (Vec<&str>, Vec<&str>) {
        let set = self.set.keys().map(String::as_str);
        (set.collect(), self.hidden.keys().map(String::as_str).collect())
    }

    /// Keys are set and removed at run time, while `configured` holds.
    pub fn change(&mut self, set: &Pairs, remove: &[String], configured: &Pairs) {
        for key in remove {
            self.set.remove(key);
            if let Some(value) = configured.get(key) {
                self.hidden.insert(key.clone(), value.clone());
            }
        }
        for (key, value) in set {
            self.hidden.remove(key);
            self.set.insert(key.clone(), value.clone());
        }
    }

    /// The configuration is another one now: what was removed from the former one only is forgotten.
    pub fn configured(&mut self, configured: &Pairs) {
        self.hidden.retain(|key, value| configured.get(key) == Some(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Pairs {
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn what_was_set_at_run_time_wins_until_it_is_removed() {
        let file = pairs([("role", "web"), ("zone", "a")]);
        let mut overlay = Overlay::default();
        overlay.change(&pairs([("role", "db"), ("canary", "1")]), &[], &file);
        assert_eq!(overlay.over(&file), pairs([("role", "db"), ("canary", "1"), ("zone", "a")]));
        let changed = pairs([("role", "cache"), ("zone", "b")]);
        overlay.configured(&changed);
        assert_eq!(overlay.over(&changed), pairs([("role", "db"), ("canary", "1"), ("zone", "b")]));
        overlay.change(&Pairs::new(), &["role".to_owned(), "canary".to_owned()], &changed);
        assert_eq!(overlay.over(&changed), pairs([("zone", "b")]));
    }

    #[test]
    fn what_was_removed_at_run_time_stays_away_until_the_configuration_changes_it() {
        let file = pairs([("role", "web"), ("zone", "a")]);
        let mut overlay = Overlay::default();
        overlay.change(&Pairs::new(), &["role".to_owned()], &file);
        let changed = pairs([("role", "web"), ("zone", "b")]);
        overlay.configured(&changed);
        assert_eq!(overlay.over(&changed), pairs([("zone", "b")]));
        let news = pairs([("role", "db"), ("zone", "b")]);
        overlay.configured(&news);
        assert_eq!(overlay.over(&news), news);
        overlay.configured(&changed);
        assert_eq!(overlay.over(&changed), changed, "the removal was of a former life");
    }
}

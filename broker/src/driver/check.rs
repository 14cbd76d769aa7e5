//! Whether a configuration can be used.

use std::{ops::RangeInclusive, time::Duration};

use super::table::Table;
use crate::{Config, ConfigError, ConfigFault, Limits, TopicName, config::Topic};

/// Finds everything that is wrong with a configuration.
///
/// # Errors
/// If anything is.
pub(crate) fn check(config: &Config) -> Result<(), ConfigError> {
    let mut faults = Vec::new();
    check_limits(&config.limits, &mut faults);
    for (name, topic) in &config.topics {
        check_topic(name, topic, &config.limits, &mut faults);
        check_dead_letter(name, topic, config, &mut faults);
    }
    ConfigError::unless_none(faults)
}

fn check_limits(limits: &Limits, faults: &mut Vec<ConfigFault>) {
    let Limits { max_conns, max_subscriptions, memory, .. } = limits;
    let checks = [
        ("max_conns", (1..=1_000_000).contains(max_conns), "1 to 1,000,000"),
        ("max_subscriptions", (1..=65_536).contains(max_subscriptions), "1 to 65,536"),
        ("memory", 0 < *memory, "at least 1 byte"),
        ("idle", IDLE.contains(&limits.idle), "100 ms to 1 day"),
        ("handshake", HANDSHAKE.contains(&limits.handshake), "10 ms to 1 day"),
        ("publish_window", (1..=LARGEST).contains(&limits.publish_window), "1 byte to 1 GiB"),
        (
            "channel_capacity",
            (16..=1_000_000).contains(&limits.channel_capacity),
            "16 to 1,000,000",
        ),
        ("batch_size", (1..=1_000_000).contains(&limits.batch_size), "1 to 1,000,000"),
        ("flush_interval", limits.flush_interval <= Duration::from_secs(1), "0 to 1 s"),
    ];
    let wrong = checks.into_iter().filter(|(_, is_good, _)| !is_good);
    faults.extend(wrong.map(|(limit, _, range)| ConfigFault::Limit { limit, range }));
}

fn check_topic(name: &TopicName, topic: &Topic, limits: &Limits, faults: &mut Vec<ConfigFault>) {
    let longest = topic.max_message_size;
    let checks = [
        ("max_messages", (1..=1 << 24).contains(&topic.max_messages), "1 to 16,777,216"),
        ("max_bytes", 0 < topic.max_bytes, "at least 1 byte"),
        ("max_message_size", (1..=LARGEST).contains(&longest), "1 byte to 1 GiB"),
        ("max_message_size", longest <= topic.max_bytes, "at most its max_bytes"),
        (
            "max_message_size",
            longest <= limits.publish_window,
            "at most the broker's publish_window",
        ),
        ("max_message_size", longest <= limits.memory, "at most the broker's memory"),
        ("block_timeout", WAITS.contains(&topic.block_timeout), "1 ms to 1 day"),
        ("ack_timeout", WAITS.contains(&topic.ack_timeout), "1 ms to 1 day"),
        ("max_deliveries", topic.max_deliveries != 0, "1 to 255"),
    ];
    let wrong = checks.into_iter().filter(|(_, is_good, _)| !is_good);
    faults.extend(wrong.map(|(setting, _, range)| ConfigFault::Topic {
        topic: name.clone(),
        setting,
        range,
    }));
}

fn check_dead_letter(
    name: &TopicName,
    topic: &Topic,
    config: &Config,
    faults: &mut Vec<ConfigFault>,
) {
    let Some(to) = &topic.dead_letter else { return };
    let (topic, dead_letter, longest) = (name.clone(), to.clone(), topic.max_message_size);
    match config.topics.get(to) {
        None => faults.push(ConfigFault::DeadLetterUnknown { topic, dead_letter }),
        Some(_) if comes_back(name, to, config) => {
            faults.push(ConfigFault::DeadLetterCycle { topic });
        }
        Some(target) if target.max_message_size < longest => {
            let most = target.max_message_size;
            faults.push(ConfigFault::DeadLetterShort { topic, dead_letter, longest, most });
        }
        Some(_) => (),
    }
}

/// Whether what goes `to` there comes back to `name`.
fn comes_back(name: &TopicName, to: &TopicName, config: &Config) -> bool {
    let next = |at: &&TopicName| config.topics.get(*at)?.dead_letter.as_ref();
    // A chain that is longer than there are topics is caught in a cycle, of which this one may be no
    // part.
    std::iter::successors(Some(to), next).take(config.topics.len()).any(|at| at == name)
}

const _: () = assert!(1_000_000 <= Table::MOST);
/// The longest message that anybody may ask for: far below what four bytes of length can say.
const LARGEST: usize = 1 << 30;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const IDLE: RangeInclusive<Duration> = Duration::from_millis(100)..=DAY;
const HANDSHAKE: RangeInclusive<Duration> = Duration::from_millis(10)..=DAY;
const WAITS: RangeInclusive<Duration> = Duration::from_millis(1)..=DAY;

#[cfg(test)]
mod tests {
    use super::*;

    fn config(topics: &[(&str, Option<&str>)]) -> Config {
        let name = |text: &str| text.parse::<TopicName>().expect("a name");
        let topics = topics.iter().map(|(topic, dead_letter)| {
            (name(topic), Topic { dead_letter: dead_letter.map(name), ..Topic::default() })
        });
        Config { topics: topics.collect(), limits: Limits::default() }
    }

    fn faults(config: &Config) -> String {
        check(config).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn defaults_are_good() {
        assert_eq!(check(&Config::default()), Ok(()));
        assert_eq!(check(&config(&[("a", Some("b")), ("b", Some("c")), ("c", None)])), Ok(()));
    }

    #[test]
    fn everything_that_is_wrong_is_listed() {
        let mut config = config(&[("a", None), ("b", Some("gone"))]);
        config.limits.batch_size = 0;
        config.limits.idle = Duration::from_millis(99);
        config.limits.flush_interval = Duration::from_millis(1001);
        if let Some(topic) = config.topics.get_mut("a") {
            (topic.max_message_size, topic.max_bytes) = (2 << 20, 1 << 20);
        }
        assert_eq!(
            faults(&config),
            "idle must be 100 ms to 1 day; batch_size must be 1 to 1,000,000; \
             flush_interval must be 0 to 1 s; \
             topic 'a': max_message_size must be at most its max_bytes; \
             topic 'a': max_message_size must be at most the broker's publish_window; \
             topic 'b': its dead_letter 'gone' is no topic of this broker"
        );
    }

    #[test]
    fn dead_letters_may_not_come_back() {
        let cycle = "its dead letters come back to it";
        assert!(faults(&config(&[("a", Some("a"))])).contains(cycle));
        let three = config(&[("a", Some("b")), ("b", Some("c")), ("c", Some("a"))]);
        assert_eq!(faults(&three).matches(cycle).count(), 3);
        let aside = config(&[("a", Some("b")), ("b", Some("b"))]);
        assert_eq!(faults(&aside).matches(cycle).count(), 1);
    }

    #[test]
    fn a_topic_for_dead_letters_takes_them_all() {
        let mut config = config(&[("a", Some("b")), ("b", None)]);
        if let Some(topic) = config.topics.get_mut("b") {
            topic.max_message_size = 5;
        }
        assert!(faults(&config).contains("takes 5 bytes at most"));
    }
}

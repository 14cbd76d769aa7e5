//! What conns may publish ahead stays what they were told, as long as a broker runs.

use rumormill_broker::{Broker, Config};

use crate::config::NeedsRestart;

/// The configuration with the window that is in force.
///
/// # Errors
/// If a topic would have messages that do not fit through it.
pub(crate) fn with_window(broker: &Broker, mut config: Config) -> Result<Config, NeedsRestart> {
    let window = broker.config().limits.publish_window;
    let too_long = config.topics.iter().find(|(_, topic)| window < topic.max_message_size);
    if let Some((name, _)) = too_long {
        return Err(NeedsRestart { keys: vec![format!("topics.{name}.max_message_size").into()] });
    }
    config.limits.publish_window = window;
    Ok(config)
}

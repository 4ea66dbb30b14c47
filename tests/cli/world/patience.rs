//! How long a world waits for its servers.

use crate::peers::endpoint::Behaviour;
use crate::peers::library::Fault;
use apptainer_remote::services::Limits;
use std::time::Duration;

/// For servers that never respond, so that their tests are quick.
pub const SHORT: Duration = Duration::from_millis(1500);

/// A fault of an endpoint or a library.
pub trait Wrong {
    /// Whether a response never ends.
    fn is_silence(&self) -> bool;
}

impl Wrong for Behaviour {
    fn is_silence(&self) -> bool {
        matches!(self, Self::Silent | Self::Drip(_))
    }
}

impl Wrong for Fault {
    fn is_silence(&self) -> bool {
        matches!(self, Self::Mute | Self::Silence(_) | Self::StallUpload(_))
    }
}

pub fn limits(wait: Duration) -> Limits {
    Limits {
        connect: wait,
        discovery: wait,
        token: wait,
        identity: wait,
        version: wait,
        keyserver: wait,
        listing: wait,
        helper: wait,
        library: wait,
        pause: Duration::from_millis(20),
        ..Limits::default()
    }
}

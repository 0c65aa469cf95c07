//! Names and numbers that identify things, each checked where it is made.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// A name that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} is not valid: {why}")]
pub struct NameError {
    /// What the name was for.
    pub what: &'static str,
    /// The name as it was given.
    pub given: String,
    /// What is wrong with it, and what would be right.
    pub why: &'static str,
}

/// The longest name of a service or node, in bytes.
pub const NAME_BYTES_MAX: usize = 63;

fn check_name(what: &'static str, given: &str) -> Result<(), NameError> {
    let refuse = |why| {
        Err(NameError {
            what,
            given: given.to_owned(),
            why,
        })
    };
    if given.is_empty() {
        return refuse("it is empty");
    }
    if given.len() > NAME_BYTES_MAX {
        return refuse("it is longer than 63 bytes");
    }
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !given.bytes().all(allowed) {
        return refuse("use lower-case letters, digits and '-' only");
    }
    if given.starts_with('-') || given.ends_with('-') {
        return refuse("it starts or ends with '-'");
    }
    Ok(())
}

// Shared text: plans, feeds and records hold many copies of each name.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a name: lower-case letters, digits and `-`, at most 63 bytes.
            ///
            /// # Errors
            /// [`NameError`] says what is wrong with it.
            pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
                let name = name.into();
                check_name($what, &name)?;
                Ok(Self(name.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// The name of a service, unique in the fleet.
    ServiceName,
    "service name"
);
name!(
    /// The name of a machine of the fleet.
    NodeId,
    "node name"
);

/// Which write of the store made a thing what it is. Grows with every write, never goes back.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

/// How often something was started for a slot; fences what an older one still sends.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The generation that follows this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Replica number `index` (from 0) of a service: what one instance at a time may own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// The service.
    pub service: ServiceName,
    /// Which of its replicas, from 0.
    pub index: u32,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.service, self.index))
    }
}

/// The name of one instance for all time: `service.index.generation`, as in `echo.2.7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId {
    /// The slot it was started for.
    pub slot: Slot,
    /// Which start of that slot it is.
    pub generation: Generation,
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!(
            "{}.{}.{}",
            self.slot.service, self.slot.index, self.generation.0
        ))
    }
}

impl FromStr for InstanceId {
    type Err = NameError;

    fn from_str(given: &str) -> Result<Self, NameError> {
        let refuse = || NameError {
            what: "instance id",
            given: given.to_owned(),
            why: "it has the form service.index.generation, as in echo.2.7",
        };
        let mut parts = given.rsplitn(3, '.');
        let generation = parts
            .next()
            .and_then(|n| n.parse().ok())
            .ok_or_else(refuse)?;
        let index = parts
            .next()
            .and_then(|n| n.parse().ok())
            .ok_or_else(refuse)?;
        let service = ServiceName::new(parts.next().ok_or_else(refuse)?)?;
        Ok(Self {
            slot: Slot { service, index },
            generation: Generation(generation),
        })
    }
}

impl TryFrom<String> for InstanceId {
    type Error = NameError;
    fn try_from(given: String) -> Result<Self, NameError> {
        given.parse()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> String {
        id.to_string()
    }
}

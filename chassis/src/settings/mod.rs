//! Settings: a default, which a file overrides, which the environment overrides, which a flag
//! overrides.
//!
//! | where | how `drain_grace` of `echo` is written |
//! |---|---|
//! | file (`--config`, or `ORRERY_CONFIG`) | `drain_grace = "5s"`, or the same under `[echo]` |
//! | environment | `ORRERY_ECHO_DRAIN_GRACE=5s`; common ones also `ORRERY_DRAIN_GRACE=5s` |
//! | flag | `--drain-grace 5s` or `--drain-grace=5s` |
//!
//! A key that does not exist is an error, wherever it is written. Tables of other services in a
//! file are passed over, so that one file can serve a whole fleet.

mod common;
mod file;
mod help;
mod load;
mod value;

pub use common::{Auth, Common, LogFormat};
pub(crate) use help::help;
pub(crate) use load::{Loaded, Sources, load};
pub use value::{Raw, Scalar, Setting};

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name, as in `drain_grace`.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its default, as text.
    pub default: String,
}

/// What a service can be told. Made by [`settings!`](crate::settings).
pub trait Settings: Default + Send + 'static {
    /// All keys, in the order of their declaration.
    fn keys() -> Vec<Key>;
    /// Sets one.
    ///
    /// # Errors
    /// Why the value does not fit, in words.
    fn set(&mut self, key: &str, value: &Raw) -> Result<(), String>;
}

/// A service that has no settings of its own.
impl Settings for () {
    fn keys() -> Vec<Key> {
        Vec::new()
    }

    fn set(&mut self, key: &str, _: &Raw) -> Result<(), String> {
        Err(format!("there is no key `{key}`"))
    }
}

/// Declares a service's settings: each with its documentation, its type and its default.
///
/// ```
/// use std::time::Duration;
///
/// chassis::settings! {
///     /// What the greeter can be told.
///     pub struct GreeterSettings {
///         /// How long it thinks before it greets.
///         pub pause: Duration = Duration::from_millis(5),
///         /// Whom it does not greet.
///         pub strangers: Vec<String> = Vec::new(),
///     }
/// }
///
/// assert_eq!(GreeterSettings::default().pause, Duration::from_millis(5));
/// ```
#[macro_export]
macro_rules! settings {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $about:literal])*
                $field_vis:vis $field:ident: $type:ty = $default:expr
            ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        $vis struct $name {
            $( $(#[doc = $about])* $field_vis $field: $type, )*
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $crate::Settings for $name {
            fn keys() -> ::std::vec::Vec<$crate::Key> {
                let default = Self::default();
                ::std::vec![$(
                    $crate::Key {
                        name: ::core::stringify!($field),
                        about: ::core::concat!($($about, "\n"),*),
                        default: $crate::Setting::show(&default.$field),
                    },
                )*]
            }

            fn set(
                &mut self,
                key: &str,
                value: &$crate::Raw,
            ) -> ::core::result::Result<(), ::std::string::String> {
                match key {
                    $( ::core::stringify!($field) => {
                        self.$field = $crate::Setting::read(value)?;
                        ::core::result::Result::Ok(())
                    } )*
                    _ => ::core::result::Result::Err(::std::format!("there is no key `{key}`")),
                }
            }
        }
    };
}

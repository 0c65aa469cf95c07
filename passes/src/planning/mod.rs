//! From elements and stations to a day's plan and its jobs: text in, values out, no I/O.
//!
//! [`stations`] and [`wanted`] read tables, [`sky`] predicts who sees whom when, and a [`Day`]
//! joins the three to a [`contacts::Problem`]: which antenna takes which pass. It names what is
//! impossible and why, and turns a plan into the day's jobs.
//!
//! ```
//! use passes::planning::{Day, Equipment, Span, sky, stations, wanted};
//!
//! let tles = "ISS (ZARYA)\n\
//!     1 25544U 98067A   20194.88612269 -.00002218  00000-0 -31515-4 0  9992\n\
//!     2 25544  51.6461 221.2784 0001413  89.1723 280.4612 15.49507896236008\n";
//! let places = stations("station,lat_deg,lon_deg\nAthens,37.85,22.62\n", &Equipment::default())?;
//! let from_ms = 1_594_512_000_000;
//! let span = Span { from_ms, until_ms: from_ms + 86_400_000 };
//! let asked = "satellite,window_start_s,window_end_s\nISS (ZARYA),0,86400\nNOAA 99,0,86400\n";
//! let sky = sky(tles, &places, span, &mut |_, _| ())?;
//! let day = Day::new(places, wanted(asked, from_ms, 300_000)?, sky)?;
//! assert_eq!(day.impossible()[0].1, "there are no elements of NOAA 99");
//! let plan = contacts::improve(day.problem(), 1, 1_000);
//! assert_eq!(day.booked(&plan)[0].request, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod day;
mod jobs;
mod sheet;
mod sky;
mod tables;

pub use contacts;
pub use orbits::{Pass, Span};

pub use day::{Booked, Day};
pub use jobs::{Template, jobs};
pub use sheet::SheetError;
pub use sky::{Sighting, Sky, SkyError, sky};
pub use tables::{Equipment, GroundStation, Wanted, stations, wanted};

//! Who sees whom, and when.

use orbits::{ElementsError, Pass, PredictError, Satellite, Span, TleError, parse, predict};
use thiserror::Error;

use super::tables::GroundStation;

/// A pass of a satellite over a station.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting {
    /// Index in [`Sky::satellites`].
    pub satellite: usize,
    /// Index of the station.
    pub station: usize,
    /// When, and how high.
    pub pass: Pass,
}

/// All passes of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Sky {
    /// The satellites' names, in the order of their elements.
    pub satellites: Vec<String>,
    /// By their rise.
    pub sightings: Vec<Sighting>,
}

/// Why passes could not be predicted.
#[derive(Debug, Error)]
pub enum SkyError {
    /// The elements cannot be read.
    #[error("the elements")]
    Tle(#[from] TleError),
    /// The elements of one satellite describe no orbit.
    #[error("{satellite} (NORAD {norad_id})")]
    Elements {
        /// Its name.
        satellite: String,
        /// Its number in the catalogue.
        norad_id: u32,
        /// What is wrong with them.
        source: ElementsError,
    },
    /// One satellite cannot be followed through the span.
    #[error("{satellite} (NORAD {norad_id})")]
    Predict {
        /// Its name.
        satellite: String,
        /// Its number in the catalogue.
        norad_id: u32,
        /// Why.
        source: PredictError,
    },
}

/// Predicts all passes of a span; tells how many satellites are done, of how many.
///
/// # Errors
/// [`SkyError`] names the satellite.
pub fn sky(
    tles: &str,
    stations: &[GroundStation],
    span: Span,
    watch: &mut dyn FnMut(usize, usize),
) -> Result<Sky, SkyError> {
    let tles = parse(tles)?;
    let places: Vec<_> = stations
        .iter()
        .map(|station| station.place.clone())
        .collect();
    let (mut satellites, mut sightings) = (Vec::new(), Vec::new());
    for (place, tle) in tles.iter().enumerate() {
        watch(place, tles.len());
        let (satellite, norad_id) = (tle.name.clone(), tle.norad_id);
        let orbit = match Satellite::new(tle) {
            Ok(orbit) => orbit,
            Err(source) => {
                return Err(SkyError::Elements {
                    satellite,
                    norad_id,
                    source,
                });
            }
        };
        let sights = predict(&orbit, &places, span).map_err(|source| SkyError::Predict {
            satellite: satellite.clone(),
            norad_id,
            source,
        })?;
        for (station, sight) in sights.iter().enumerate() {
            sightings.extend(sight.passes().iter().map(|&pass| Sighting {
                satellite: place,
                station,
                pass,
            }));
        }
        satellites.push(satellite);
    }
    sightings.sort_by_key(|one| (one.pass.rise_ms, one.satellite, one.station));
    Ok(Sky {
        satellites,
        sightings,
    })
}

//! When a satellite is in sight of a station.

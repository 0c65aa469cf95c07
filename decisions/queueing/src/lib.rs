//! Which work goes next.

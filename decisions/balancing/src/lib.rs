//! Which endpoint gets the call: rendezvous, two choices, outliers, breakers.

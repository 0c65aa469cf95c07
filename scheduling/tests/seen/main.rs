//! What must be seen of a fleet, by number: each file is a line of the specification.

mod authorisation;
mod browser;
mod chromium;
mod gateway;
mod guarded_machines;
mod harness;
mod interface;
mod n1_boot;
mod n2_replacement;
mod n3_survival;
mod n4_hung;
mod n5_port_taken;
mod n6_scale_and_stop;
mod n7_discovery_away;
mod n8_bad_input;
mod n9_many;
mod other_machines;
mod page;
mod secrets;

//! Plans over the shared inputs.

use std::path::Path;

use dataflow::columns::{Column, Type};
use dataflow::plan::{
    Aggregate, Connector, Function, Node, Operator, Plan, SinkTarget, Source, SourceOptions, Span,
    Window,
};

use crate::harness::streams;

fn node(id: &str, parallelism: u32, inputs: &[&str], operator: Operator) -> Node {
    let inputs = inputs.iter().map(|input| input.to_string()).collect();
    Node {
        id: id.into(),
        parallelism,
        inputs,
        operator,
    }
}

/// The cars, one row a step when `stepping`.
pub(crate) fn cars(stepping: bool) -> Source {
    let column = |name: &str, kind: Type| Column {
        name: name.into(),
        kind,
    };
    Source {
        connector: Connector::Files {
            paths: vec![streams().join("cars.json")],
        },
        columns: vec![
            column("timestamp", Type::Timestamp),
            column("driver_id", Type::Int),
            column("event_type", Type::Text),
            column("location", Type::Text),
        ],
        event_time: Some("timestamp".into()),
        delay: 60_000_000,
        options: SourceOptions {
            stepping,
            ..SourceOptions::default()
        },
    }
}

/// Rows and different drivers of each event type in windows of `span`, into files in `output`.
pub(crate) fn hourly(span: Span, parallelism: u32, stepping: bool, output: &Path) -> Plan {
    let aggregate = |name: &str, function, argument: Option<&str>| Aggregate {
        name: name.into(),
        function,
        argument: argument.map(String::from),
    };
    let window = Window {
        keys: vec!["event_type".into()],
        span,
        aggregates: vec![
            aggregate("count", Function::Count, None),
            aggregate("drivers", Function::CountDistinct, Some("driver_id")),
        ],
        bounds: ("start".into(), "end".into()),
    };
    let target = SinkTarget::Files {
        path: output.to_path_buf(),
    };
    Plan {
        nodes: vec![
            node("cars", 1, &[], Operator::Source(cars(stepping))),
            node("hourly", parallelism, &["cars"], Operator::Window(window)),
            node("out", parallelism, &["hourly"], Operator::Sink { target }),
        ],
    }
}

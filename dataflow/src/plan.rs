//! Plans: what a pipeline computes, as data.
//!
//! A plan is a list of nodes, each after its inputs; as JSON it is what SQL is planned to and what
//! other programs may write by hand. Keys are a property of the node that needs its rows together
//! (a window, a join, a top-n): the exchange before it follows from them, so that no plan can
//! forget it.

mod check;
mod connector;
mod graph;

use serde::{Deserialize, Serialize};

use crate::columns::Column;
use crate::expression::Expression;

pub(crate) use check::output_of;
pub use check::{PlanError, schemas};
pub use connector::{BadRows, Connector, SinkTarget, SourceOptions};
pub use graph::{Edge, Graph, Routing, Stage};

/// What a pipeline computes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Each after those that it reads.
    pub nodes: Vec<Node>,
}

/// One operator of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Unique in the plan; its state is kept under this name, so it must not change over restarts.
    pub id: String,
    /// In how many subtasks it runs, at least 1.
    #[serde(default = "one")]
    pub parallelism: u32,
    /// The nodes that it reads, in order (a join: left, right).
    #[serde(default)]
    pub inputs: Vec<String>,
    /// What it does.
    pub operator: Operator,
}

fn one() -> u32 {
    1
}

/// What a node does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Operator {
    /// Brings rows in.
    Source(Source),
    /// Keeps the rows for which this is true.
    Filter {
        /// A boolean.
        predicate: Expression,
    },
    /// Computes columns.
    Project {
        /// The new columns; event time stays.
        columns: Vec<Named>,
    },
    /// One row for each item of a list column.
    Unnest {
        /// The list; the item takes its name.
        column: String,
    },
    /// Aggregates over windows of event time.
    Window(Window),
    /// Joins rows of the same window.
    Join(Join),
    /// The rows of all inputs, which have the same columns.
    Union,
    /// The first rows of each group within a window.
    Top(Top),
    /// Takes rows out.
    Sink {
        /// Where to.
        target: SinkTarget,
    },
}

/// A computed column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Expression,
}

/// Where rows come from and how time is read off them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// What is read.
    pub connector: Connector,
    /// The columns of a row.
    pub columns: Vec<Column>,
    /// The timestamp column that is the event time; the time of arrival when none is named.
    #[serde(default)]
    pub event_time: Option<String>,
    /// By how many microseconds the watermark stays behind the least event time of a batch.
    #[serde(default)]
    pub delay: i64,
    /// Batches, stepping, malformed rows.
    #[serde(default)]
    pub options: SourceOptions,
}

/// An aggregate over windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Grouped by these columns; with none, one group and one subtask.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Which windows.
    pub span: Span,
    /// What is computed.
    pub aggregates: Vec<Aggregate>,
    /// Names of the columns with a window's start and end.
    #[serde(default = "bounds")]
    pub bounds: (String, String),
}

fn bounds() -> (String, String) {
    ("window.start".into(), "window.end".into())
}

/// Which windows a row falls into. All in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// One after the other.
    Tumbling {
        /// How long each is.
        width: i64,
    },
    /// Overlapping; `width` is a multiple of `slide`.
    Sliding {
        /// How far apart their starts are.
        slide: i64,
        /// How long each is.
        width: i64,
    },
    /// As long as rows of a key come less than `gap` apart; ends `gap` after its last row.
    Session {
        /// The silence that ends it.
        gap: i64,
    },
    /// The window of the input's own rows, which come from a window: a window over a window.
    Same,
}

/// One aggregate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aggregate {
    /// The name of its column.
    pub name: String,
    /// What it computes.
    pub function: Function,
    /// Over what; nothing for `count(*)`.
    #[serde(default)]
    pub argument: Option<String>,
}

/// Aggregate functions. Nulls do not count, as in SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// Rows, or values that are not null.
    Count,
    /// Different values.
    CountDistinct,
    /// Their sum; an overflow of integers wraps.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// Their mean.
    Avg,
    /// All of them, in the order of arrival.
    ArrayAgg,
}

/// A join of two inputs whose rows end at the same time, as rows of equal windows do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Join {
    /// Which rows without partner stay.
    pub side: Side,
    /// The left columns to be equal.
    pub left: Vec<String>,
    /// The right columns to be equal, as many.
    pub right: Vec<String>,
    /// Put before the names of the columns, left and right, which must then be unique.
    #[serde(default)]
    pub prefixes: (String, String),
}

/// Which rows without partner stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// None.
    Inner,
    /// Those of the left.
    Left,
    /// Those of both.
    Full,
}

/// The first rows of each group within rows of the same window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Top {
    /// The groups.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The order within a group.
    pub order: Vec<Order>,
    /// How many rows of a group.
    pub limit: u32,
    /// The name of a column with the row's number from 1, if wanted.
    #[serde(default)]
    pub number: Option<String>,
}

/// One column of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// By this column.
    pub column: String,
    /// The greatest first.
    #[serde(default)]
    pub descending: bool,
}

impl Plan {
    /// Reads a program and checks it: a plan as JSON if it begins with a brace, else SQL.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json), or where the SQL cannot be planned.
    pub fn from_text(text: &str) -> Result<Plan, PlanError> {
        if text.trim_start().starts_with('{') {
            return Plan::from_json(text);
        }
        let plan = crate::sql::plan(text)?;
        schemas(&plan)?;
        Ok(plan)
    }

    /// Reads a plan and checks it.
    ///
    /// # Errors
    /// It is no JSON of a plan, or [`schemas`] refuses it.
    pub fn from_json(text: &str) -> Result<Plan, PlanError> {
        let plan: Plan = serde_json::from_str(text).map_err(|error| PlanError::Json {
            line: error.line(),
            column: error.column(),
            detail: error.to_string(),
        })?;
        schemas(&plan)?;
        Ok(plan)
    }

    /// The node of this id.
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }
}

//! Whether a plan makes sense, and the columns of each node's rows.

use std::collections::BTreeMap;

use super::{Join, Node, Operator, Plan, Side, Source, Span, Top, Window};
use crate::aggregate;
use crate::columns::{Field, Schema, SchemaRef, TIME, Type, schema_with_time};
use crate::expression::{TypeError, column_kind};

/// Why a plan cannot run. Always the author's fault: the same plan will never run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The text is no plan.
    #[error("the plan cannot be read at line {line}, column {column}: {detail}")]
    Json {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the reader says.
        detail: String,
    },
    /// A node that makes no sense by itself or with its inputs.
    #[error("node `{node}`: {detail}")]
    Node {
        /// Its id.
        node: String,
        /// What is wrong.
        detail: String,
    },
    /// The text is SQL that cannot be planned.
    #[error(transparent)]
    Sql(#[from] crate::sql::SqlError),
    /// An expression or column of a node.
    #[error("node `{node}`: {source}")]
    Type {
        /// Its id.
        node: String,
        /// What is wrong.
        source: TypeError,
    },
}

/// The columns of the rows that each node gives out, by id.
///
/// # Errors
/// The first node that makes no sense.
pub fn schemas(plan: &Plan) -> Result<BTreeMap<String, SchemaRef>, PlanError> {
    let mut known: BTreeMap<String, SchemaRef> = BTreeMap::new();
    for node in &plan.nodes {
        let fault = |detail: String| PlanError::Node {
            node: node.id.clone(),
            detail,
        };
        if node.id.is_empty() || node.id.len() > 100 || !node.id.bytes().all(is_plain) {
            return Err(fault("an id is 1 to 100 letters, digits, `-`, `_`".into()));
        }
        if node.parallelism == 0 || node.parallelism > 100_000 {
            return Err(fault("the parallelism is 1 to 100,000".into()));
        }
        let inputs: Result<Vec<SchemaRef>, PlanError> = node
            .inputs
            .iter()
            .map(|id| {
                known.get(id).cloned().ok_or_else(|| {
                    fault(format!("its input `{id}` is not among the nodes before it"))
                })
            })
            .collect();
        let schema = output_of(node, &inputs?)?;
        if known.insert(node.id.clone(), schema).is_some() {
            return Err(fault("there are two of this id".into()));
        }
    }
    Ok(known)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// A check of one node: what is wrong, in words or as a type.
enum Fault {
    Words(String),
    Type(TypeError),
}

impl From<TypeError> for Fault {
    fn from(error: TypeError) -> Fault {
        Fault::Type(error)
    }
}

impl From<&str> for Fault {
    fn from(words: &str) -> Fault {
        Fault::Words(words.into())
    }
}

pub(crate) fn output_of(node: &Node, inputs: &[SchemaRef]) -> Result<SchemaRef, PlanError> {
    output(&node.operator, inputs).map_err(|fault| match fault {
        Fault::Words(detail) => PlanError::Node {
            node: node.id.clone(),
            detail,
        },
        Fault::Type(source) => PlanError::Type {
            node: node.id.clone(),
            source,
        },
    })
}

fn output(operator: &Operator, inputs: &[SchemaRef]) -> Result<SchemaRef, Fault> {
    let expected = match operator {
        Operator::Source(_) => 0,
        Operator::Join(_) => 2,
        Operator::Union => inputs.len().max(1),
        _ => 1,
    };
    if inputs.len() != expected {
        return Err(Fault::Words(format!(
            "it has {} inputs, not {expected}",
            inputs.len()
        )));
    }
    match operator {
        Operator::Source(source) => source_schema(source),
        Operator::Filter { predicate } => match predicate.kind(&inputs[0])? {
            Type::Bool => Ok(inputs[0].clone()),
            _ => Err("its predicate is no boolean".into()),
        },
        Operator::Project { columns } => {
            let fields: Result<Vec<Field>, TypeError> = columns
                .iter()
                .map(|column| Ok(column.value.kind(&inputs[0])?.field(&column.name)))
                .collect();
            unique(fields?)
        }
        Operator::Unnest { column } => unnest_schema(column, &inputs[0]),
        Operator::Window(window) => window_schema(window, &inputs[0]),
        Operator::Join(join) => join_schema(join, &inputs[0], &inputs[1]),
        Operator::Union => match inputs.iter().all(|schema| same(schema, &inputs[0])) {
            true => Ok(inputs[0].clone()),
            false => Err("its inputs differ in their columns".into()),
        },
        Operator::Top(top) => top_schema(top, &inputs[0]),
        Operator::Sink { .. } => Ok(inputs[0].clone()),
    }
}

fn same(left: &Schema, right: &Schema) -> bool {
    let kinds = |schema: &Schema| -> Vec<(String, Type)> {
        schema
            .fields()
            .iter()
            .map(|f| (f.name().clone(), Type::of(f)))
            .collect()
    };
    kinds(left) == kinds(right)
}

/// The columns with event time behind them, if no name is there twice.
fn unique(fields: Vec<Field>) -> Result<SchemaRef, Fault> {
    let mut names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Fault::Words(format!(
            "two of its columns are called `{}`",
            pair[0]
        )));
    }
    if names.contains(&TIME) {
        return Err(Fault::Words(format!(
            "`{TIME}` is the name of the event time"
        )));
    }
    Ok(schema_with_time(fields))
}

/// The columns but event time.
fn columns(schema: &Schema) -> impl Iterator<Item = Field> {
    schema
        .fields()
        .iter()
        .filter(|field| field.name() != TIME)
        .map(|field| (**field).clone())
}

fn field(schema: &Schema, name: &str) -> Result<Field, TypeError> {
    Ok(column_kind(name, schema)?.field(name))
}

fn source_schema(source: &Source) -> Result<SchemaRef, Fault> {
    let schema = unique(
        source
            .columns
            .iter()
            .map(|c| c.kind.field(&c.name))
            .collect(),
    )?;
    if let Some(name) = &source.event_time
        && column_kind(name, &schema)? != Type::Timestamp
    {
        return Err(Fault::Words(format!(
            "its event time `{name}` is no timestamp"
        )));
    }
    match source.options.batch {
        1..=1_000_000 if source.delay >= 0 => Ok(schema),
        1..=1_000_000 => Err("its delay is negative".into()),
        _ => Err("its batches have 1 to 1,000,000 rows".into()),
    }
}

fn unnest_schema(column: &str, input: &Schema) -> Result<SchemaRef, Fault> {
    let Type::List(item) = column_kind(column, input)? else {
        return Err(Fault::Words(format!("`{column}` is no list")));
    };
    let item = item.field(column);
    Ok(schema_with_time(
        columns(input)
            .map(|f| if f.name() == column { item.clone() } else { f })
            .collect(),
    ))
}

fn window_schema(window: &Window, input: &Schema) -> Result<SchemaRef, Fault> {
    match window.span {
        Span::Tumbling { width } if width <= 0 => return Err("its width is not positive".into()),
        Span::Session { gap } if gap <= 0 => return Err("its gap is not positive".into()),
        Span::Sliding { slide, width } if slide <= 0 || width < slide || width % slide != 0 => {
            return Err("its width is not a multiple of its slide".into());
        }
        _ => {}
    }
    let mut fields = Vec::new();
    for key in &window.keys {
        fields.push(field(input, key)?);
    }
    if window.span != Span::Same {
        fields.push(Type::Timestamp.field(&window.bounds.0));
        fields.push(Type::Timestamp.field(&window.bounds.1));
    }
    for one in &window.aggregates {
        let argument = one
            .argument
            .as_ref()
            .map(|name| column_kind(name, input))
            .transpose()?;
        fields.push(aggregate::kind(one, argument.as_ref())?.field(&one.name));
    }
    unique(fields)
}

fn join_schema(join: &Join, left: &Schema, right: &Schema) -> Result<SchemaRef, Fault> {
    if join.left.len() != join.right.len() {
        return Err("it has not as many left as right columns".into());
    }
    if join.side != Side::Inner && join.left.is_empty() {
        return Err("an outer join needs columns that are equal".into());
    }
    for (l, r) in join.left.iter().zip(&join.right) {
        let (l_kind, r_kind) = (column_kind(l, left)?, column_kind(r, right)?);
        if l_kind != r_kind {
            let (l_kind, r_kind) = (l_kind.name(), r_kind.name());
            return Err(Fault::Words(format!(
                "`{l}` is {l_kind}, `{r}` is {r_kind}"
            )));
        }
    }
    let named = |prefix: &str, field: Field| {
        let name = format!("{prefix}{}", field.name());
        field.with_name(name)
    };
    let left = columns(left).map(|field| named(&join.prefixes.0, field));
    let right = columns(right).map(|field| named(&join.prefixes.1, field));
    unique(left.chain(right).collect())
}

fn top_schema(top: &Top, input: &Schema) -> Result<SchemaRef, Fault> {
    for name in top
        .keys
        .iter()
        .chain(top.order.iter().map(|order| &order.column))
    {
        column_kind(name, input)?;
    }
    let number = top.number.iter().map(|name| Type::Int.field(name));
    unique(columns(input).chain(number).collect())
}

//! `CREATE TABLE`: columns, types, and where rows come from or go to.

use std::collections::BTreeMap;

use sqlparser::ast::{
    ArrayElemTypeDef, CreateTable, CreateTableOptions, DataType, Expr, Spanned, SqlOption, Value,
};
use sqlparser::tokenizer::Span;

use super::watermark::Watermarks;
use super::{Planned, SqlError, interval, name_of};
use crate::columns::{Column, Type};
use crate::plan::{BadRows, Connector, SinkTarget, Source, SourceOptions};

/// A declared table: a source, a sink, or both; neither if it is only a name.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) source: Option<Source>,
    pub(super) sink: Option<SinkTarget>,
}

/// Options of `WITH (...)`, each taken once.
struct Options {
    left: BTreeMap<String, (String, Span)>,
    place: Span,
}

impl Options {
    fn take(&mut self, name: &str) -> Option<(String, Span)> {
        self.left.remove(name)
    }

    fn needed(&mut self, name: &str) -> Planned<(String, Span)> {
        let place = self.place;
        let missing = || SqlError::at(place, format!("the table needs {name} = '...'"));
        self.take(name).ok_or_else(missing)
    }

    fn number(&mut self, name: &str) -> Planned<Option<u64>> {
        let Some((text, at)) = self.take(name) else {
            return Ok(None);
        };
        let number = text.parse();
        number
            .map(Some)
            .map_err(|_| SqlError::at(at, format!("{name} is a whole number")))
    }
}

pub(super) fn declared(create: &CreateTable, watermarks: &Watermarks) -> Planned<Table> {
    let place = create.name.span();
    let mut columns = Vec::new();
    for column in &create.columns {
        columns.push(Column {
            name: column.name.value.clone(),
            kind: kind(&column.data_type, column.name.span)?,
        });
    }
    let mut options = options(create, place)?;
    if options.left.is_empty() {
        // Neither read nor written anywhere: a name for what is inserted into it.
        let (source, sink) = (None, None);
        return Ok(Table {
            columns,
            source,
            sink,
        });
    }
    let (connector, at) = options.needed("connector")?;
    if let Some((format, at)) = options.take("format")
        && format != "json"
    {
        return Err(SqlError::at(at, "rows are JSON").hint("leave it out, or format = 'json'"));
    }
    let (is_source, is_sink) = roles(&connector, &mut options)?;
    let mut table = Table {
        columns,
        source: None,
        sink: None,
    };
    let path = options.take("path");
    if is_source {
        let connector = source(&connector, path.as_ref(), at, &mut options)?;
        let first = create.columns.first().map(|column| column.name.span);
        let watermark = first.and_then(|first| watermarks.of(first));
        let named = options.take("event_time_field").map(|(name, _)| name);
        let delay = options.take("watermark_delay");
        let delay = delay
            .map(|(text, at)| interval::parse(&text, at))
            .transpose()?;
        table.source = Some(Source {
            columns: match connector {
                // Its columns are its own.
                Connector::Impulse { .. } => crate::sources::impulse::columns(),
                _ => table.columns.clone(),
            },
            connector,
            event_time: watermark.map(|mark| mark.column.clone()).or(named),
            delay: watermark.map(|mark| mark.delay).or(delay).unwrap_or(0),
            options: source_options(&mut options)?,
        });
    }
    if is_sink {
        table.sink = Some(sink(&connector, path.as_ref(), at, place)?);
    }
    if let Some((name, (_, at))) = options.left.iter().next() {
        return Err(SqlError::at(
            *at,
            format!("the table has no option `{name}`"),
        ));
    }
    Ok(table)
}

fn options(create: &CreateTable, place: Span) -> Planned<Options> {
    let given = match &create.table_options {
        CreateTableOptions::With(given) | CreateTableOptions::Options(given) => given.as_slice(),
        _ => &[],
    };
    let mut left = BTreeMap::new();
    for option in given {
        let SqlOption::KeyValue { key, value } = option else {
            return Err(SqlError::at(place, "options are name = 'value'"));
        };
        let text = match value {
            Expr::Value(text) => match &text.value {
                Value::SingleQuotedString(text) | Value::Number(text, _) => text.clone(),
                Value::Boolean(is) => is.to_string(),
                _ => return Err(SqlError::at(text.span, "an option is 'text' or a number")),
            },
            other => {
                return Err(SqlError::at(
                    other.span(),
                    "an option is 'text' or a number",
                ));
            }
        };
        left.insert(name_of(key).to_ascii_lowercase(), (text, value.span()));
    }
    Ok(Options { left, place })
}

fn roles(connector: &str, options: &mut Options) -> Planned<(bool, bool)> {
    match options.take("type") {
        Some((text, _)) if text == "source" => Ok((true, false)),
        Some((text, _)) if text == "sink" => Ok((false, true)),
        Some((_, at)) => Err(SqlError::at(at, "a table is a 'source' or a 'sink'")),
        None => match connector {
            "impulse" | "tcp" | "log" => Ok((true, false)),
            "stdout" | "blackhole" => Ok((false, true)),
            // Files may be both; which it is used as is not known yet.
            _ => Ok((true, true)),
        },
    }
}

fn sink(
    connector: &str,
    path: Option<&(String, Span)>,
    at: Span,
    place: Span,
) -> Planned<SinkTarget> {
    match connector {
        "files" | "filesystem" | "single_file" => match path {
            Some((path, _)) => Ok(SinkTarget::Files { path: path.into() }),
            None => Err(SqlError::at(place, "the table needs path = '...'")),
        },
        "stdout" => Ok(SinkTarget::Stdout),
        "blackhole" => Ok(SinkTarget::Blackhole),
        other => Err(
            SqlError::at(at, format!("nothing can be written to `{other}`"))
                .hint("there are 'files', 'stdout' and 'blackhole'"),
        ),
    }
}

fn source(
    connector: &str,
    path: Option<&(String, Span)>,
    at: Span,
    options: &mut Options,
) -> Planned<Connector> {
    let place = options.place;
    let path = || {
        let path = path.map(|(path, _)| path.into());
        path.ok_or_else(|| SqlError::at(place, "the table needs path = '...'"))
    };
    Ok(match connector {
        "files" | "filesystem" | "single_file" => Connector::Files {
            paths: vec![path()?],
        },
        "tcp" => Connector::Tcp {
            address: options.needed("address")?.0,
        },
        "log" => Connector::Log {
            path: path()?,
            partitions: match options.number("partitions")? {
                None => 1,
                Some(count) => u32::try_from(count)
                    .map_err(|_| SqlError::at(place, "there are too many partitions"))?,
            },
            bounded: matches!(options.take("bounded"), Some((text, _)) if text == "true"),
        },
        "impulse" => {
            let step = options.take("step");
            let step = step
                .map(|(text, at)| interval::parse(&text, at))
                .transpose()?;
            Connector::Impulse {
                count: options.number("message_count")?,
                rate: options.number("event_rate")?.unwrap_or(0),
                step: step.unwrap_or(1_000),
                start: 0,
            }
        }
        other => {
            return Err(
                SqlError::at(at, format!("there is no connector `{other}`")).hint(
                    "there are 'files', 'log', 'tcp' and 'impulse'; to write 'stdout', 'blackhole'",
                ),
            );
        }
    })
}

fn source_options(options: &mut Options) -> Planned<SourceOptions> {
    let mut chosen = SourceOptions::default();
    if let Some((text, at)) = options.take("bad_rows") {
        chosen.bad_rows = match text.split_once(':') {
            None if text == "drop" => BadRows::Drop,
            None if text == "fail" => BadRows::Fail,
            Some(("keep", folder)) => BadRows::Keep(folder.into()),
            _ => {
                return Err(
                    SqlError::at(at, "bad rows are dropped, kept, or fail the job")
                        .hint("say 'drop', 'fail' or 'keep:/a/folder'"),
                );
            }
        };
    }
    if let Some(rows) = options.number("batch")? {
        chosen.batch = usize::try_from(rows).unwrap_or(usize::MAX);
    }
    Ok(chosen)
}

/// The type of a column or cast.
pub(super) fn kind(data_type: &DataType, at: Span) -> Planned<Type> {
    use DataType as D;
    Ok(match data_type {
        D::Bool | D::Boolean => Type::Bool,
        D::TinyInt(_) | D::SmallInt(_) | D::Int(_) | D::Integer(_) | D::BigInt(_) => Type::Int,
        D::Int2(_) | D::Int4(_) | D::Int8(_) | D::Int16 | D::Int32 | D::Int64 => Type::Int,
        D::IntUnsigned(_) | D::IntegerUnsigned(_) | D::BigIntUnsigned(_) => Type::Int,
        D::Float(_) | D::Float4 | D::Float8 | D::Float32 | D::Float64 | D::Real => Type::Float,
        D::Double(_) | D::DoublePrecision => Type::Float,
        D::Text | D::Varchar(_) | D::String(_) | D::Char(_) => Type::Text,
        D::Timestamp(..) => Type::Timestamp,
        D::JSON | D::JSONB => Type::Json,
        D::Array(
            ArrayElemTypeDef::SquareBracket(item, _) | ArrayElemTypeDef::AngleBracket(item),
        ) => Type::List(Box::new(kind(item, at)?)),
        other => {
            return Err(SqlError::at(at, format!("there is no type {other}")).hint(
                "there are BIGINT, DOUBLE, TEXT, BOOLEAN, TIMESTAMP, JSON, and T[] of them",
            ));
        }
    })
}

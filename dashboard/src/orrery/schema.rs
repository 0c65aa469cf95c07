//! JSON schemas, readable: one field a line, and an example to start from.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::output::escape::line;

/// How deep a schema is followed; recursive types have no end of their own.
const DEPTH_MAX: usize = 6;

/// One schema with its definitions.
#[derive(Clone, Copy)]
pub(crate) struct Schema<'a> {
    root: &'a Value,
}

impl<'a> Schema<'a> {
    /// The schema that `root` is.
    pub(crate) fn new(root: &'a Value) -> Self {
        Self { root }
    }

    /// Its fields, one a line, each indented by `indent` spaces and by its depth.
    pub(crate) fn fields(self, indent: usize) -> String {
        let mut out = String::new();
        self.write(&mut out, self.root, indent, 0);
        if out.is_empty() {
            let kind = self.kind(self.root, 0);
            let nothing = if kind == "object" { "nothing" } else { &kind };
            return format!("{:indent$}{nothing}\n", "");
        }
        out
    }

    /// Arguments that fit, with every field that must be there.
    pub(crate) fn example(self) -> Value {
        self.value(self.root, 0)
    }

    /// Follows `$ref` and looks through "or null".
    fn resolve(self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..DEPTH_MAX {
            let next = if let Some(reference) = schema["$ref"].as_str() {
                reference
                    .strip_prefix('#')
                    .and_then(|pointer| self.root.pointer(pointer))
            } else {
                non_null(schema)
            };
            match next {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }

    fn write(self, out: &mut String, schema: &'a Value, indent: usize, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        let schema = self.resolve(schema);
        if let Some(items) = schema.get("items") {
            return self.write(out, items, indent, depth + 1);
        }
        for option in options(schema) {
            // A variant without fields is in the list of words already.
            if option.get("properties").is_some() {
                self.write(out, option, indent, depth + 1);
            }
        }
        let Some(properties) = schema["properties"].as_object() else {
            return;
        };
        let required: Vec<&str> = texts(&schema["required"]).collect();
        for (name, field) in properties {
            let optional = if required.contains(&name.as_str()) {
                ""
            } else {
                "?"
            };
            let about = field["description"].as_str().unwrap_or_default();
            let about: Vec<&str> = about.split_whitespace().collect();
            let head = format!("{}{optional}: {}", line(name), self.kind(field, depth));
            let head = format!("{:indent$}{head}", "");
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "{}",
                format!("{head:<38}  {}", line(&about.join(" "))).trim_end()
            );
            self.write(out, field, indent + 2, depth + 1);
        }
    }

    /// The type in a word or two: `text`, `number 0..`, `list of text`, `healthy | failed`.
    fn kind(self, schema: &'a Value, depth: usize) -> String {
        if depth > DEPTH_MAX {
            return "...".to_owned();
        }
        let schema = self.resolve(schema);
        if let Some(words) = words(schema) {
            return words;
        }
        let kind = texts(&schema["type"]).find(|kind| *kind != "null");
        match kind {
            Some("string") => "text".to_owned(),
            Some("boolean") => "true or false".to_owned(),
            Some("integer") => range("whole number", schema),
            Some("number") => range("number", schema),
            Some("array") => format!("list of {}", self.kind(&schema["items"], depth + 1)),
            Some("object") => match schema.get("additionalProperties") {
                Some(values @ Value::Object(_)) => {
                    format!("map of text to {}", self.kind(values, depth + 1))
                }
                _ => "object".to_owned(),
            },
            Some(other) => line(other).into_owned(),
            None if options(schema).next().is_some() => "one of".to_owned(),
            None => "anything".to_owned(),
        }
    }

    fn value(self, schema: &'a Value, depth: usize) -> Value {
        if depth > DEPTH_MAX {
            return Value::Null;
        }
        let schema = self.resolve(schema);
        if let Some(first) = schema["enum"].as_array().and_then(|words| words.first()) {
            return first.clone();
        }
        if let Some(word) = schema.get("const") {
            return word.clone();
        }
        if let Some(first) = options(schema).next() {
            return self.value(first, depth + 1);
        }
        match texts(&schema["type"]).next() {
            Some("string") => json!("..."),
            Some("boolean") => json!(false),
            Some("integer" | "number") => json!(schema["minimum"].as_i64().unwrap_or(1).max(1)),
            Some("array") => json!([]),
            _ => {
                let mut object = Map::new();
                for name in texts(&schema["required"]) {
                    let value = self.value(&schema["properties"][name], depth + 1);
                    object.insert(name.to_owned(), value);
                }
                Value::Object(object)
            }
        }
    }
}

fn options(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf"]
        .into_iter()
        .filter_map(|key| schema[key].as_array())
        .flatten()
}

/// The only alternative that is not `null`, if there is exactly one.
fn non_null(schema: &Value) -> Option<&Value> {
    let mut others = schema["anyOf"].as_array()?.iter();
    let mut others = others.by_ref().filter(|s| s["type"] != "null");
    let first = others.next()?;
    others.next().is_none().then_some(first)
}

/// A text, or every text of a list of them.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let one = value.as_str().into_iter();
    let many = value.as_array().into_iter().flatten();
    one.chain(many.filter_map(Value::as_str))
}

/// The words a value may be, when it is one of some words.
fn words(schema: &Value) -> Option<String> {
    let quoted = |word: &Value| word.as_str().map(|word| format!("\"{}\"", line(word)));
    let listed = schema["enum"].as_array().map(|words| {
        let words: Vec<String> = words.iter().filter_map(quoted).collect();
        words.join(" | ")
    });
    let constant = schema.get("const").and_then(quoted);
    let chosen = || {
        let all: Option<Vec<String>> = options(schema).map(words).collect();
        all.filter(|all| !all.is_empty()).map(|all| all.join(" | "))
    };
    listed.or(constant).or_else(chosen)
}

fn range(kind: &str, schema: &Value) -> String {
    match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(low), Some(high)) => format!("{kind} {low}..{high}"),
        (Some(low), None) => format!("{kind} >= {low}"),
        _ => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Schema;

    #[test]
    fn a_schema_reads_as_one_field_a_line() {
        let schema = json!({
            "type": "object",
            "required": ["name", "replicas", "state"],
            "properties": {
                "name": { "type": "string", "description": "Unique in the fleet." },
                "replicas": { "type": "integer", "minimum": 0, "maximum": 9 },
                "state": { "$ref": "#/$defs/State" },
                "note": { "type": ["string", "null"] },
                "inner": { "anyOf": [{ "$ref": "#/$defs/Inner" }, { "type": "null" }] },
                "env": { "type": "object", "additionalProperties": { "type": "string" } },
                "tags": { "type": "array", "items": { "type": "string" } }
            },
            "$defs": {
                "State": { "oneOf": [
                    { "type": "string", "const": "up" },
                    { "type": "string", "const": "down" }
                ] },
                "Inner": { "type": "object", "properties": { "deep": { "type": "boolean" } } }
            }
        });
        let expected = "  \
  env?: map of text to text
  inner?: object
    deep?: true or false
  name: text                            Unique in the fleet.
  note?: text
  replicas: whole number 0..9
  state: \"up\" | \"down\"
  tags?: list of text
";
        assert_eq!(Schema::new(&schema).fields(2), expected);
        let example = json!({ "name": "...", "replicas": 1, "state": "up" });
        assert_eq!(Schema::new(&schema).example(), example);
    }

    #[test]
    fn a_type_that_contains_itself_has_an_end() {
        let schema = json!({ "$ref": "#/$defs/Node", "$defs": { "Node": {
            "type": "object", "required": ["next"],
            "properties": { "next": { "$ref": "#/$defs/Node" } }
        } } });
        assert!(Schema::new(&schema).fields(0).lines().count() < 20);
        assert!(Schema::new(&schema).example().is_object());
    }
}

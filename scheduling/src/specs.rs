//! Specs as people write them: TOML.

use model::ServiceSpec;
use rpc::Error;
use scheduling::reason;
use serde::Deserialize;

/// Several specs in one file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Several {
    service: Vec<ServiceSpec>,
}

/// Reads one spec, or several as `[[service]]`.
pub(crate) fn parse(text: &str) -> Result<Vec<ServiceSpec>, Error> {
    let table: toml::Table = toml::from_str(text).map_err(|e| wrong(text, &e))?;
    let specs = if table.contains_key("service") {
        toml::from_str::<Several>(text)
            .map_err(|e| wrong(text, &e))?
            .service
    } else {
        vec![toml::from_str::<ServiceSpec>(text).map_err(|e| wrong(text, &e))?]
    };
    let mut names = std::collections::BTreeSet::new();
    for spec in &specs {
        if !names.insert(&spec.name) {
            let message = format!("service.name: {} is there twice", spec.name);
            return Err(
                Error::invalid(reason::INVALID_SPEC, message).with_hint("write each service once")
            );
        }
    }
    Ok(specs)
}

fn wrong(text: &str, error: &toml::de::Error) -> Error {
    let place = error.span().map_or_else(String::new, |span| {
        let before = text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        format!("line {line}: ")
    });
    let what = error.message().trim().replace('\n', "; ");
    Error::invalid(reason::INVALID_SPEC, format!("{place}{what}"))
        .with_hint("`orrery spec <service>` shows a complete spec")
}

/// A spec as `parse` takes it.
pub(crate) fn render(spec: &ServiceSpec) -> Result<String, Error> {
    let unwritable = |e: toml::ser::Error| Error::internal(reason::INVALID_SPEC, e.to_string());
    let mut table = toml::Table::try_from(spec).map_err(unwritable)?;
    // Set by the store, and never read from what an operator writes.
    table.remove("revision");
    toml::to_string_pretty(&table).map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "name = \"web\"\nreplicas = 2\n\
        [artifact.command]\nprogram = \"sleep\"\nargs = [\"60\"]\n";

    #[test]
    fn what_is_rendered_is_read_again() {
        let mut spec = parse(ONE).unwrap().remove(0);
        spec.env.insert("A".into(), "b = \"c\"".into());
        spec.limits.memory_bytes = Some(1 << 30);
        assert_eq!(parse(&render(&spec).unwrap()).unwrap(), [spec]);
    }

    #[test]
    fn an_error_names_the_line_and_what_is_wrong() {
        let wrong = parse("name = \"web\"\nreplicas = -2\n[artifact.command]\nprogram = \"x\"\n");
        let wrong = wrong.unwrap_err();
        assert_eq!(wrong.reason, reason::INVALID_SPEC);
        assert!(wrong.message.starts_with("line 2: "), "{}", wrong.message);
        let wrong = parse("name = \"Web\"\nreplicas = 2").unwrap_err();
        assert!(wrong.message.contains("lower-case"), "{}", wrong.message);
        let wrong = parse(&ONE.replace("args", "arms")).unwrap_err();
        assert!(wrong.message.contains("arms"), "{}", wrong.message);
        let twice = ONE.replace("[artifact", "[service.artifact");
        let wrong = parse(&format!("[[service]]\n{twice}[[service]]\n{twice}")).unwrap_err();
        assert!(wrong.message.contains("twice"), "{}", wrong.message);
    }
}

//! What is a valid name, and what is a valid wish.

use model::{
    Artifact, Exit, Failure, Generation, InstanceId, InstanceState, NAME_BYTES_MAX, NodeId,
    REPLICAS_MAX, SECRETS_MAX, ServiceName, ServiceSpec, Slot, Timestamp,
};
use proptest::prelude::*;

fn spec() -> ServiceSpec {
    let artifact = Artifact::Cargo {
        manifest_path: "echo/Cargo.toml".to_owned(),
        bin_name: "server_v1".to_owned(),
    };
    ServiceSpec::new(ServiceName::new("echo").unwrap(), artifact, 3)
}

#[test]
fn names_are_lower_case_letters_digits_and_inner_dashes() {
    for good in [
        "a",
        "echo",
        "resource-scheduler",
        "9",
        &"x".repeat(NAME_BYTES_MAX),
    ] {
        assert_eq!(ServiceName::new(good).unwrap().as_str(), good);
    }
    let long = "x".repeat(NAME_BYTES_MAX + 1);
    let bad = [
        ("", "it is empty"),
        ("Echo", "use lower-case letters, digits and '-' only"),
        ("echo.0", "use lower-case letters, digits and '-' only"),
        ("../etc", "use lower-case letters, digits and '-' only"),
        ("écho", "use lower-case letters, digits and '-' only"),
        ("-echo", "it starts or ends with '-'"),
        ("echo-", "it starts or ends with '-'"),
        (&long, "it is longer than 63 bytes"),
    ];
    for (name, why) in bad {
        assert_eq!(ServiceName::new(name).unwrap_err().why, why, "{name}");
        assert!(NodeId::new(name).is_err());
    }
}

#[test]
fn a_refused_name_says_what_it_was_for() {
    let refused = NodeId::new("Node 1").unwrap_err().to_string();
    let why = "use lower-case letters, digits and '-' only";
    assert_eq!(refused, format!("node name \"Node 1\" is not valid: {why}"));
}

#[test]
fn an_instance_id_is_service_index_generation() {
    let id: InstanceId = "echo.2.7".parse().unwrap();
    assert_eq!((id.slot.index, id.generation), (2, Generation(7)));
    for bad in [
        "",
        "echo",
        "echo.2",
        "echo.2.",
        "echo.x.7",
        "echo.-1.7",
        "a.b.2.7",
        ".2.7",
    ] {
        assert!(bad.parse::<InstanceId>().is_err(), "{bad}");
    }
}

#[test]
fn instances_sort_by_service_then_number_not_by_text() {
    let sorted = ["a.2.1", "a.2.10", "a.10.1", "b.0.1"];
    let mut ids: Vec<InstanceId> = sorted.iter().rev().map(|id| id.parse().unwrap()).collect();
    ids.sort();
    let ids: Vec<_> = ids.iter().map(InstanceId::to_string).collect();
    assert_eq!(ids, sorted);
}

#[test]
fn a_wrong_spec_is_refused_with_the_path_of_the_field() {
    type Spoil = fn(&mut ServiceSpec);
    let wrong: [(&str, Spoil); 9] = [
        ("replicas", |s| s.replicas = REPLICAS_MAX + 1),
        ("after", |s| s.after = vec![s.name.clone()]),
        ("artifact.cargo.bin_name", |s| {
            let (manifest_path, bin_name) = ("x".to_owned(), String::new());
            s.artifact = Artifact::Cargo {
                manifest_path,
                bin_name,
            };
        }),
        ("artifact.command.program", |s| {
            let (program, args) = (String::new(), vec![]);
            s.artifact = Artifact::Command { program, args };
        }),
        ("env", |s| {
            drop(s.env.insert("1X".to_owned(), String::new()))
        }),
        ("env", |s| {
            drop(s.env.insert("X".to_owned(), "a\0b".to_owned()))
        }),
        ("secrets", |s| {
            drop(s.secrets.insert("NO NAME".to_owned(), "db".to_owned()))
        }),
        ("secrets", |s| {
            drop(s.secrets.insert("DB".to_owned(), "no name".to_owned()))
        }),
        ("secrets", |s| {
            let all = (0..=SECRETS_MAX).map(|n| (format!("N{n}"), "db".to_owned()));
            s.secrets = all.collect();
        }),
    ];
    assert_eq!(spec().check(), Ok(()));
    for (field, spoil) in wrong {
        let mut spec = spec();
        spoil(&mut spec);
        assert_eq!(spec.check().unwrap_err().field, field);
    }
}

#[test]
fn a_secret_written_where_its_name_belongs_is_not_repeated() {
    let mut spec = spec();
    let value = "hunter2 is no name";
    spec.secrets.insert("DB".to_owned(), value.to_owned());
    let said = spec.check().unwrap_err().to_string();
    assert!(said.contains("DB") && !said.contains("hunter2"), "{said}");
}

#[test]
fn a_spec_needs_only_a_name_an_artifact_and_replicas_and_takes_no_unknown_field() {
    let given = r#"{"name":"echo","artifact":{"command":{"program":"/bin/echo"}},"replicas":1}"#;
    let spec: ServiceSpec = serde_json::from_str(given).unwrap();
    assert!(spec.ports.wanted && spec.grace_period_ms == 3_000);
    let typo = given.replace("replicas", "replicsa");
    assert!(serde_json::from_str::<ServiceSpec>(&typo).is_err());
    let negative = given.replace(":1}", ":-1}");
    assert!(serde_json::from_str::<ServiceSpec>(&negative).is_err());
}

#[test]
fn three_states_are_final_and_only_pending_and_they_have_no_process() {
    use InstanceState::{Failed, Lost, Pending, Stopped, Stopping};
    for state in [Stopped, Failed, Lost] {
        assert!(state.is_terminal() && !state.may_have_process());
    }
    assert!(!Pending.may_have_process() && !Pending.is_terminal());
    assert!(Stopping.may_have_process() && !Stopping.is_terminal());
}

#[test]
fn failures_say_what_happened_in_an_operators_words() {
    let (exit, last_lines) = (Exit::OutOfMemory, vec![]);
    let (port, owner) = (10_100, "nginx (pid 7)".to_owned());
    let said = [
        Failure::Exited { exit, last_lines }.to_string(),
        Failure::PortTaken { port, owner }.to_string(),
    ];
    let words = [
        "killed by the kernel: out of memory",
        "port 10100 is taken by nginx (pid 7)",
    ];
    assert_eq!(said, words);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_id_reads_as_it_was_written(
        service in "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", index: u32, generation: u64,
    ) {
        let service = ServiceName::new(service).unwrap();
        let generation = Generation(generation);
        let id = InstanceId { slot: Slot { service, index }, generation };
        prop_assert_eq!(id.to_string().parse::<InstanceId>(), Ok(id.clone()));
        let json = serde_json::to_string(&id).unwrap();
        prop_assert_eq!(serde_json::from_str::<InstanceId>(&json).unwrap(), id);
    }

    #[test]
    fn any_text_is_a_name_or_an_error_and_never_a_panic(text in any::<String>()) {
        if let Ok(name) = ServiceName::new(text.clone()) {
            prop_assert_eq!(name.as_str(), &text);
        }
        let _either = text.parse::<InstanceId>();
    }

    #[test]
    fn time_neither_wraps_nor_goes_back(at: u64, ms: u64) {
        let later = Timestamp(at).plus_ms(ms);
        prop_assert!(later >= Timestamp(at));
        prop_assert_eq!(Timestamp(at).since_ms(later), 0);
    }
}

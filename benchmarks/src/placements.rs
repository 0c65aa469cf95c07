//! placements: many instances placed on many machines, through the whole path.

use std::time::{Duration, Instant};

use scheduling::{ApplyArgs, AssignmentsArgs, DescribeNodeArgs, NodeFactsInfo, SchedulingClient};
use tokio::task::JoinSet;

use crate::Failure;
use crate::fleet::{Fleet, Programs, Wish};
use crate::report::{Section, table};
use crate::units::to_f64;

const MACHINES: usize = 5_000;
const INSTANCES: usize = 40_000;
/// Kubernetes' own gate for a cluster of this shape, in placements a second.
const KUBERNETES: &str = "680-810";

/// Applies a service and waits until all of it has a place, durably.
///
/// # Errors
/// If not all find one.
pub(crate) fn measure(quick: bool) -> Result<Section, Failure> {
    let programs = Programs::release(&["discovery", "resource-scheduler"])?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (machines, instances) = if quick {
        (MACHINES / 10, INSTANCES / 10)
    } else {
        (MACHINES, INSTANCES)
    };
    let plain = runtime.block_on(run(&programs, machines, instances, ""))?;
    let bound = "affinities = [{ group = \"task\", within = \"zone\", wish = \"together\", \
                 strength = \"soft\" }]";
    let packed = runtime.block_on(run(&programs, machines, instances, bound))?;
    let row = |what: &str, took: Duration| {
        let each = to_f64(instances as u64) / took.as_secs_f64();
        let took = format!("{:.2} s", took.as_secs_f64());
        vec![what.to_owned(), took, format!("{each:.0}")]
    };
    let rows = vec![
        row("apart, and even over 10 zones (the default)", plain),
        row("packed", packed),
        vec![
            "Kubernetes' gate, 5,000 nodes".into(),
            String::new(),
            KUBERNETES.into(),
        ],
    ];
    let body = format!(
        "{instances} instances on {machines} machines that take what they are given and do \
         nothing with it; scheduling, discovery, the resource scheduler and all machines on this \
         one (profile `release`, embedded store). From the call of `apply` until every instance \
         is `scheduled`, durably, as a watcher sees it. Target: 8,000 a second.\n\n{}\n",
        table(&["", "took", "placements/s"], rows)
    );
    Ok(Section {
        name: "placements",
        body,
    })
}

async fn run(
    programs: &Programs,
    machines: usize,
    instances: usize,
    wishes: &str,
) -> Result<Duration, Failure> {
    eprintln!("placements: {instances} on {machines}");
    let artifact = |name: &str| {
        format!(
            "artifact = {{ cargo = {{ manifest_path = \"{name}/Cargo.toml\", bin_name = \
             \"{name}\" }} }}\nnode = \"local\"\nreplicas = 1\n"
        )
    };
    let specs = format!(
        "[[service]]\nname = \"discovery\"\nports = {{ well_known = [30200] }}\n{}\
         [[service]]\nname = \"resource-scheduler\"\nafter = [\"discovery\"]\n{}",
        artifact("discovery"),
        artifact("resource-scheduler"),
    );
    let patience = ("ORRERY_SCHEDULING_NODE_PATIENCE", "600s".to_owned());
    let nothing = "cpu_millicores=0".to_owned();
    let wish = Wish {
        specs: Some(specs),
        environment: vec![patience, ("ORRERY_SCHEDULING_RESOURCES", nothing)],
    };
    let mut fleet = Fleet::start(programs, wish).await?;
    fleet.until_healthy().await?;
    let client = fleet.scheduling();
    let mut hollow = JoinSet::new();
    for number in 0..machines {
        join(&client, number, &mut hollow).await?;
    }
    let spec = format!(
        "name = \"task\"\nreplicas = {instances}\nports = {{ wanted = false }}\n\
         artifact = {{ command = {{ program = \"sleep\", args = [\"1\"] }} }}\n\
         [placement]\nrequest = {{ cpu_millicores = 500 }}\n{wishes}\n"
    );
    let begun = Instant::now();
    let args = ApplyArgs { spec, wait_ms: 0 };
    client.apply(&args).await?;
    fleet
        .until(|fleet| {
            let placed = fleet.instances().filter(|i| i.service == "task");
            let placed = placed.filter(|i| i.node.is_some()).count();
            (placed == instances).then_some(())
        })
        .await?;
    Ok(begun.elapsed())
}

/// A machine of 16 cores in one of ten zones, with nothing behind it.
async fn join(
    client: &SchedulingClient,
    number: usize,
    hollow: &mut JoinSet<()>,
) -> Result<(), Failure> {
    let node = format!("n{number}");
    let args = AssignmentsArgs { node: node.clone() };
    let mut stream = client.assignments(&args).await?;
    let mut facts = NodeFactsInfo {
        host: "127.0.0.1".to_owned(),
        zone: format!("z{}", number % 10),
        ..NodeFactsInfo::default()
    };
    facts.resources.insert("cpu_millicores".to_owned(), 16_000);
    client
        .describe_node(&DescribeNodeArgs { node, facts })
        .await?;
    hollow.spawn(async move { while let Some(Ok(_)) = stream.next().await {} });
    Ok(())
}

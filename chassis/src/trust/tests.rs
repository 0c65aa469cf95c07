//! The guard over a real socket: who gets in, and what the others are told.

use std::sync::Arc;

use identity::{Grant, Token};
use rpc::{
    AUTHORIZATION, BuiltinClient, CallOptions, Channel, Code, Context, Deserializable, Empty,
    Error, Metadata, Running, Serializable, Server,
};

use super::*;
use crate::settings::Auth;

#[expect(
    unreachable_pub,
    reason = "`service!` makes public items; only this test uses them"
)]
mod door {
    use super::*;

    /// A name.
    #[derive(Debug, Clone, PartialEq, Serializable, Deserializable)]
    pub struct Name {
        /// The name.
        pub name: String,
    }

    rpc::service! {
        /// A door with two handles.
        trait Door, client DoorClient, dispatch DoorDispatch, name "door";
        /// Says who looks.
        read 9401 LOOK_PROCEDURE look(Empty) -> Name;
        /// Changes something.
        idempotent 9402 TURN_PROCEDURE turn(Empty) -> Empty;
    }
}
use door::{Door, DoorClient, DoorDispatch, Name};

struct Hall;

impl Door for Hall {
    async fn look(&self, context: &Context, _: Empty) -> Result<Name, Error> {
        let holder = holder(context);
        let name = holder.map_or_else(|| "anybody".to_owned(), |holder| holder.name.clone());
        Ok(Name { name })
    }

    async fn turn(&self, _: &Context, _: Empty) -> Result<Empty, Error> {
        Ok(Empty {})
    }
}

struct House {
    authority: Arc<Authority>,
    table: Arc<TokenTable>,
    key: FleetKey,
    running: Running,
}

async fn house(auth: Auth) -> House {
    let authority = Arc::new(Authority::new("door", auth));
    let guard = AuthorityGuard(Arc::clone(&authority));
    let server = Server::new("door", "1.0.0")
        .guard(guard)
        .service(DoorDispatch::new(Hall));
    let running = server.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    House {
        authority,
        table: Arc::default(),
        key: FleetKey::generate().unwrap(),
        running,
    }
}

impl House {
    fn believing(self) -> Self {
        self.authority.believe(self.key.public());
        assert!(self.authority.believe_tokens(Arc::clone(&self.table)));
        self
    }

    fn with(&self, token: &str) -> DoorClient {
        let mut metadata = Metadata::new();
        metadata.set(AUTHORIZATION, token.to_owned());
        DoorClient::new(Channel::to(self.running.address())).with(CallOptions {
            metadata,
            ..CallOptions::default()
        })
    }

    fn signed(&self, grant: &str, expires_ms: u64) -> String {
        let claims = Claims {
            name: "echo.0.1".to_owned(),
            kind: Kind::Instance {
                service: "echo".to_owned(),
            },
            grants: vec![grant.parse().unwrap()],
            expires_ms,
        };
        self.key.sign(&claims).unwrap()
    }
}

fn person(grant: &str, change: impl FnOnce(&mut Token)) -> Holder {
    let mut token = Token::new(vec![grant.parse::<Grant>().unwrap()]);
    change(&mut token);
    Holder {
        name: "ada".to_owned(),
        kind: Kind::Person,
        token,
    }
}

async fn refusal(client: &DoorClient) -> (Code, String) {
    let error = client.turn(&Empty {}).await.unwrap_err();
    assert!(!error.hint.is_empty(), "{error:?}");
    (error.code, error.reason.into_owned())
}

#[tokio::test]
async fn each_bad_token_is_refused_with_its_reason() {
    let house = house(Auth::Auto).await.believing();
    let opaque: Vec<String> = (0..4).map(|_| spell().unwrap()).collect();
    let known = [
        person("door:*:write", |token| token.revoked = true),
        person("door:*:write", |token| token.expires_ms = Some(1)),
        person("door:*:read", |_| {}),
    ];
    let all = opaque.iter().zip(known);
    house
        .table
        .replace(all.map(|(token, holder)| (digest(token.as_bytes()), holder)));
    let foreign = self::house(Auth::Auto).await;
    let (unknown, weaker) = (Code::Unauthenticated, Code::PermissionDenied);
    let cases = [
        (String::new(), unknown, "no-token"),
        ("nonsense".to_owned(), unknown, "unknown-token"),
        (opaque[3].clone(), unknown, "unknown-token"),
        (
            foreign.signed("door:*:write", u64::MAX),
            unknown,
            "unknown-token",
        ),
        (house.signed("door:*:write", 1), unknown, "token-expired"),
        (
            house.signed("door:look:write", u64::MAX),
            weaker,
            "not-granted",
        ),
        (opaque[0].clone(), unknown, "token-revoked"),
        (opaque[1].clone(), unknown, "token-expired"),
        (opaque[2].clone(), weaker, "not-granted"),
    ];
    for (token, code, reason) in cases {
        let told = refusal(&house.with(&token)).await;
        assert_eq!(told, (code, reason.to_owned()), "{token}");
    }
}

#[tokio::test]
async fn who_may_is_let_in_and_known_by_name() {
    let house = house(Auth::Auto).await.believing();
    let token = spell().unwrap();
    house.table.replace([]);
    let holder = person("door:look:read", |_| {});
    house.table.put(digest(token.as_bytes()), holder);
    let name = house.with(&token).look(&Empty {}).await.unwrap().name;
    assert_eq!(name, "ada");
    let client = house.with(&house.signed("*:*:write", u64::MAX));
    assert_eq!(client.look(&Empty {}).await.unwrap().name, "echo.0.1");
    client.turn(&Empty {}).await.unwrap();
}

#[tokio::test]
async fn a_change_of_the_table_counts_from_the_next_call_on() {
    let house = house(Auth::Auto).await.believing();
    let token = spell().unwrap();
    let digest = digest(token.as_bytes());
    house
        .table
        .replace([(digest, person("door:*:write", |_| {}))]);
    let client = house.with(&token);
    client.turn(&Empty {}).await.unwrap();
    house
        .table
        .put(digest, person("door:*:write", |token| token.revoked = true));
    assert_eq!(refusal(&client).await.1, "token-revoked");
    house.table.remove(&digest);
    assert_eq!(refusal(&client).await.1, "unknown-token");
}

#[tokio::test]
async fn before_anybody_told_which_tokens_there_are_nobody_is_called_a_stranger() {
    let house = house(Auth::Auto).await.believing();
    let told = refusal(&house.with(&spell().unwrap())).await;
    assert_eq!(told, (Code::Unavailable, "tokens-not-known-yet".to_owned()));
    // Instances of the fleet need nobody to be known.
    let client = house.with(&house.signed("*:*:write", u64::MAX));
    client.turn(&Empty {}).await.unwrap();
}

#[tokio::test]
async fn health_alone_is_open_to_all() {
    let house = house(Auth::Required).await;
    let builtin = BuiltinClient::new(Channel::to(house.running.address()));
    builtin.health(&Empty {}).await.unwrap();
    let refusals = [
        builtin.describe(&Empty {}).await.unwrap_err(),
        builtin.metrics(&Empty {}).await.unwrap_err(),
        builtin.drain(&rpc::DrainArgs {}).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.reason, "no-token");
    }
}

#[tokio::test]
async fn a_service_that_believes_nobody_asks_for_nothing_unless_it_is_told_to() {
    let alone = house(Auth::Auto).await;
    assert_eq!(
        alone.with("").look(&Empty {}).await.unwrap().name,
        "anybody"
    );
    let strict = house(Auth::Required).await;
    assert_eq!(refusal(&strict.with("")).await.1, "no-token");
    let open = house(Auth::Off).await.believing();
    open.with("").turn(&Empty {}).await.unwrap();
}

#[test]
fn who_believes_nobody_is_not_reachable_from_elsewhere() {
    let everywhere = "0.0.0.0:1".parse().unwrap();
    let loopback = "127.0.0.1:1".parse().unwrap();
    let check = |auth, address| {
        let authority = Authority::new("door", auth);
        refuse_strangers(&authority, auth, address).is_ok()
    };
    assert!(check(Auth::Auto, loopback));
    assert!(!check(Auth::Auto, everywhere));
    assert!(check(Auth::Required, everywhere));
    assert!(check(Auth::Off, everywhere));
}

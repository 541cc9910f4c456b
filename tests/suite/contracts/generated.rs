//! Calls made from the schema itself: each root field with arguments of the right kind, and objects for their
//! ids to name. A field that a domain adds is called without being asked; one whose arguments cannot be made
//! fails loudly, and is taught here.

use std::collections::BTreeMap;

use anamnesis::access::Role;
use anamnesis::ids::{FacilityId, TypedId as _};
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::taught::{ALSO_GIVEN, FILLED, MAKING, NAMED_ID, OWN_ID, TABLES};
use crate::harness::{Answer, Client, TestApp, Webhook};

/// A field of a root.
pub struct Root {
    pub mutation: bool,
    pub field: FieldDefinition,
}

impl Root {
    pub fn name(&self) -> &str {
        &self.field.name.node
    }
}

/// The schema, by name.
pub struct Api {
    types: BTreeMap<String, TypeDefinition>,
}

/// Whether the values of a call can be what they are to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    Fit,
    Unfit,
}

/// Which ids a call is given: opaque ids by prefix.
pub type Ids = BTreeMap<String, String>;

/// The name below lists and non-null.
fn base(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => base(inner),
    }
}

impl Api {
    pub fn read() -> Self {
        let types = parse_schema(anamnesis::graphql::sdl())
            .unwrap()
            .definitions
            .into_iter()
            .filter_map(|definition| match definition {
                TypeSystemDefinition::Type(ty) => Some((ty.node.name.node.to_string(), ty.node)),
                _ => None,
            })
            .collect();
        Self { types }
    }

    /// Every field of both roots, queries first, by name.
    pub fn roots(&self) -> Vec<Root> {
        let mut roots = Vec::new();
        for (root, mutation) in [("Query", false), ("Mutation", true)] {
            let mut fields = self.fields(root);
            fields.sort_by_key(|field| field.name.node.to_string());
            roots.extend(fields.into_iter().map(|field| Root { mutation, field }));
        }
        roots
    }

    pub fn description(&self, ty: &str) -> &str {
        let description = self.types.get(ty).and_then(|definition| definition.description.as_ref());
        description.map_or("", |text| text.node.as_str())
    }

    /// Name of the type a root field returns, without list and non-null.
    pub fn returned(root: &Root) -> &str {
        base(&root.field.ty.node)
    }

    pub fn fields(&self, ty: &str) -> Vec<FieldDefinition> {
        match self.types.get(ty).map(|definition| &definition.kind) {
            Some(TypeKind::Object(object)) => object.fields.iter().map(|field| field.node.clone()).collect(),
            _ => Vec::new(),
        }
    }

    fn composite(&self, ty: &str) -> bool {
        self.types.get(ty).is_some_and(|definition| {
            matches!(definition.kind, TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_))
        })
    }

    /// An operation of one root field with the arguments that are given.
    pub fn operation(root: &Root, selection: &str, variables: &Value) -> String {
        let arguments = root.field.arguments.iter().map(|argument| &argument.node);
        let arguments: Vec<_> =
            arguments.filter(|argument| variables.get(argument.name.node.as_str()).is_some()).collect();
        let declared: Vec<_> =
            arguments.iter().map(|argument| format!("${}: {}", argument.name.node, argument.ty.node)).collect();
        let given: Vec<_> = arguments.iter().map(|argument| format!("{0}: ${0}", argument.name.node)).collect();
        let wrap =
            |parts: Vec<String>| if parts.is_empty() { String::new() } else { format!("({})", parts.join(", ")) };
        let kind = if root.mutation { "mutation" } else { "query" };
        format!("{kind}{} {{ {}{} {selection} }}", wrap(declared), root.name(), wrap(given))
    }

    /// Enough of an answer to tell whether it shows anything.
    pub fn shallow(&self, root: &Root) -> String {
        let ty = Self::returned(root);
        if !self.composite(ty) {
            return String::new();
        }
        let mut parts = vec!["__typename".to_owned()];
        for field in self.fields(ty) {
            let name = field.name.node.as_str();
            if name == "userErrors" {
                parts.push("userErrors { code field message }".to_owned());
            } else if name == "nodes" {
                parts.push("nodes { __typename }".to_owned());
            } else if ty.ends_with("Payload") {
                let below = if self.composite(base(&field.ty.node)) { " { __typename }" } else { "" };
                parts.push(format!("{name}{below}"));
            }
        }
        format!("{{ {} }}", parts.join(" "))
    }

    /// Everything below a type that needs no argument, so deep.
    pub fn deep(&self, ty: &str, depth: usize) -> String {
        if !self.composite(ty) {
            return String::new();
        }
        let mut parts = vec!["__typename".to_owned()];
        for field in self.fields(ty) {
            let inside = base(&field.ty.node);
            let name = &field.name.node;
            // Edges hold what nodes hold.
            if name == "edges" || field.arguments.iter().any(|argument| required(&argument.node)) {
                continue;
            }
            if !self.composite(inside) {
                parts.push(name.to_string());
            } else if depth > 0 {
                let page = if field.arguments.iter().any(|argument| argument.node.name.node == "first") {
                    "(first: 3)"
                } else {
                    ""
                };
                parts.push(format!("{name}{page} {}", self.deep(inside, depth - 1)));
            }
        }
        if matches!(self.types[ty].kind, TypeKind::Interface(_)) {
            parts.push("... on Patient { id familyName }".to_owned());
        }
        format!("{{ {} }}", parts.join(" "))
    }

    /// Variables of a call: what is required, what [`ALSO_GIVEN`] says, and the optional ids when asked for.
    pub fn variables(&self, root: &Root, ids: &Ids, all_ids: bool) -> Value {
        self.filled(root, ids, all_ids, Fill::Fit)
    }

    /// The same with ids that exist and values that no rule of a domain lets pass.
    pub fn unfit_variables(&self, root: &Root, ids: &Ids) -> Value {
        self.filled(root, ids, false, Fill::Unfit)
    }

    fn filled(&self, root: &Root, ids: &Ids, all_ids: bool, fill: Fill) -> Value {
        let mut given = Map::new();
        for argument in &root.field.arguments {
            let argument = &argument.node;
            if required(argument) || (all_ids && base(&argument.ty.node) == "ID") {
                given.insert(argument.name.node.to_string(), self.value(root.name(), argument, ids, all_ids, fill));
            }
        }
        Value::Object(given)
    }

    /// Whether the input of a field takes an idempotency key.
    pub fn takes_key(&self, root: &Root) -> bool {
        self.input_fields(root).iter().any(|field| field.name.node == "idempotencyKey")
    }

    fn input_fields(&self, root: &Root) -> Vec<InputValueDefinition> {
        let input = root.field.arguments.iter().find(|argument| argument.node.name.node == "input");
        let kind = input.and_then(|input| self.types.get(base(&input.node.ty.node))).map(|definition| &definition.kind);
        match kind {
            Some(TypeKind::InputObject(object)) => object.fields.iter().map(|field| field.node.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// Calls a field by a client, asking for enough to tell whether it shows anything; with a small file where one
    /// is taken.
    pub async fn call(&self, client: &Client, root: &Root, variables: Value) -> Answer {
        let document = Self::operation(root, &self.shallow(root), &variables);
        match self.input_fields(root).iter().find(|field| base(&field.ty.node) == "Upload") {
            Some(file) => {
                let listed = matches!(file.ty.node.base, BaseType::List(_));
                let place = if listed { format!("{}.0", file.name.node) } else { file.name.node.to_string() };
                client.run_with_file(&document, variables, &place, ("note.txt", b"Slept well.")).await
            }
            None => client.run(&document, variables).await,
        }
    }

    /// Names of the object types that have an id of their own, and of those that are nodes.
    pub fn identified(&self) -> (Vec<&str>, Vec<&str>) {
        let objects = || {
            self.types.iter().filter_map(|(name, definition)| match &definition.kind {
                TypeKind::Object(object) => Some((name.as_str(), object)),
                _ => None,
            })
        };
        let id = |field: &FieldDefinition| field.name.node == "id" && field.ty.node.to_string() == "ID!";
        let with_id = objects().filter(|(_, object)| object.fields.iter().any(|field| id(&field.node)));
        let nodes = objects().filter(|(_, object)| object.implements.iter().any(|name| name.node == "Node"));
        (with_id.map(|(name, _)| name).collect(), nodes.map(|(name, _)| name).collect())
    }

    /// Where ids stand in the variables of a call: paths and kinds.
    pub fn id_places(&self, root: &Root) -> Vec<(Vec<String>, String)> {
        let mut places = Vec::new();
        for argument in &root.field.arguments {
            self.find_ids(root.name(), &argument.node, &mut Vec::new(), &mut places);
        }
        places
    }

    fn find_ids(
        &self,
        root: &str,
        input: &InputValueDefinition,
        path: &mut Vec<String>,
        places: &mut Vec<(Vec<String>, String)>,
    ) {
        path.push(input.name.node.to_string());
        let ty = base(&input.ty.node);
        if ty == "ID" {
            places.push((path.clone(), kind_of(root, &input.name.node).to_owned()));
        } else if let Some(TypeKind::InputObject(object)) = self.types.get(ty).map(|definition| &definition.kind) {
            for field in &object.fields {
                self.find_ids(root, &field.node, path, places);
            }
        }
        path.pop();
    }

    fn value(&self, root: &str, input: &InputValueDefinition, ids: &Ids, all_ids: bool, fill: Fill) -> Value {
        let name = input.name.node.as_str();
        let ty = base(&input.ty.node);
        let one = match ty {
            "String" if fill == Fill::Unfit => json!(""),
            "Int" | "Float" if fill == Fill::Unfit => json!(-1),
            "DateTime" if fill == Fill::Unfit => json!("2999-12-31T00:00:00Z"),
            "NaiveDate" if fill == Fill::Unfit => json!("2999-12-31"),
            // Sent as a part of its own.
            "Upload" => Value::Null,
            "ID" => {
                let kind = kind_of(root, name);
                json!(ids.get(kind).unwrap_or_else(|| panic!("{root}({name}): no fixture of kind {kind}")))
            }
            "String" => json!(text(name)),
            "Int" | "Float" => json!(1),
            "Boolean" => json!(true),
            "DateTime" => json!("2026-03-01T10:00:00Z"),
            "NaiveDate" => json!("1990-04-15"),
            _ => match &self.types.get(ty).unwrap_or_else(|| panic!("{root}({name}): no type {ty}")).kind {
                TypeKind::Enum(values) => {
                    let filled = FILLED.iter().find(|(kind, _)| *kind == ty).map(|(_, value)| *value);
                    json!(filled.unwrap_or_else(|| values.values[0].node.value.node.as_str()))
                }
                TypeKind::InputObject(object) => {
                    let mut given = Map::new();
                    for field in &object.fields {
                        let field = &field.node;
                        let also = ALSO_GIVEN.contains(&(ty, field.name.node.as_str()));
                        if required(field) || also || (all_ids && base(&field.ty.node) == "ID") {
                            given.insert(field.name.node.to_string(), self.value(root, field, ids, all_ids, fill));
                        }
                    }
                    Value::Object(given)
                }
                _ => json!(text(name)),
            },
        };
        if matches!(input.ty.node.base, BaseType::List(_)) { json!([one]) } else { one }
    }
}

fn required(input: &InputValueDefinition) -> bool {
    !input.ty.node.nullable && input.default_value.is_none()
}

fn kind_of(root: &str, argument: &str) -> &'static str {
    if let Some((_, kind)) = NAMED_ID.iter().find(|(name, _)| *name == argument) {
        return kind;
    }
    assert!(matches!(argument, "id" | "ids"), "teach NAMED_ID what {root}({argument}) is");
    OWN_ID
        .iter()
        .filter(|(begins, _)| root.starts_with(begins))
        .max_by_key(|(begins, _)| begins.len())
        .map_or_else(|| panic!("teach OWN_ID what {root}(id) is"), |(_, kind)| kind)
}

/// A text that passes for what an input of this name holds.
fn text(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let fixed = match lower.as_str() {
        _ if lower.contains("email") => return format!("{}@test.example", uuid::Uuid::now_v7().simple()),
        _ if lower.contains("password") => "plum-granite-orbit-8841",
        _ if lower.contains("token") || lower == "challenge" => "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        _ if lower.contains("phone") => "6175550142",
        _ if lower.contains("timezone") => "America/New_York",
        "code" => "123456",
        "ssn" => "999-12-3456",
        "npi" => "1234567893",
        "zipcode" => "02139",
        "state" => "MA",
        "search" => "fracture",
        "key" => "finding",
        "mrn" => "EX-1",
        "name" | "givenname" | "familyname" | "subscribername" => "Example",
        _ => "Example text of sufficient length",
    };
    fixed.to_owned()
}

/// The opaque form of an id.
pub fn opaque(prefix: &str, uuid: &str) -> String {
    let uuid: uuid::Uuid = uuid.parse().unwrap();
    format!("{prefix}_{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(uuid.as_bytes()))
}

/// A facility with one of everything the API can make.
pub struct World {
    pub ids: Ids,
    /// Who made it: a member with all roles.
    pub maker: Client,
}

impl World {
    /// Fills a facility by every mutation that makes something; a kind the schema cannot make yet is absent,
    /// and a call that needs it fails.
    pub async fn fill(app: &TestApp, api: &Api, facility: FacilityId) -> Self {
        let maker = app.member_of(facility, Role::ALL).await;
        let provider = app.member_of(facility, &[Role::Therapist, Role::Physician]).await;
        let user = provider.user.unwrap();
        let session = app.db_create_session(user).await;
        let mut ids = Ids::from([
            ("usr".to_owned(), user.encode()),
            ("mak".to_owned(), maker.user.unwrap().encode()),
            ("ses".to_owned(), session.encode()),
            ("fac".to_owned(), facility.encode()),
        ]);
        Self::find(app, facility, &mut ids).await;
        ids.insert("mem".to_owned(), Self::membership(app, facility, user).await);
        for making in MAKING {
            for root in api.roots() {
                if !root.mutation || !(root.name().ends_with(making) || root.name() == *making) {
                    continue;
                }
                let known = api.id_places(&root).iter().all(|(_, kind)| ids.contains_key(kind));
                if known {
                    let variables = api.variables(&root, &ids, false);
                    maker.run(&Api::operation(&root, &api.shallow(&root), &variables), variables).await;
                }
            }
            Self::find(app, facility, &mut ids).await;
        }
        Self::amend(&maker, &ids).await;
        Self::say(&maker, &ids).await;
        Self::hear(app, facility, &maker, &ids).await;
        // The maker supervises the provider by now, so it waits for the maker's co-signature.
        Self::sign(&provider, &ids).await;
        // Twice: that a file is there already is proposed.
        for root in api.roots().iter().filter(|root| root.name() == "documentUploadMany") {
            api.call(&maker, root, api.variables(root, &ids, false)).await;
            api.call(&maker, root, api.variables(root, &ids, false)).await;
        }
        Self::find(app, facility, &mut ids).await;
        Self::tell(app, facility, &maker, &ids).await;
        // What is found only once it has been read.
        crate::harness::engines::provide_model().await;
        app.work().await;
        Self::find(app, facility, &mut ids).await;
        Self { ids, maker }
    }

    /// Has the maker told of something, which takes somebody else: gives them a document to look at.
    async fn tell(app: &TestApp, facility: FacilityId, maker: &Client, ids: &Ids) {
        let somebody = app.member_of(facility, &[Role::Nurse]).await;
        let work = "query($id: ID!) { document(id: $id) { work { version } } }";
        let found = somebody.run(work, json!({ "id": ids["doc"] })).await.ok();
        let version = &found["document"]["work"]["version"];
        let assign =
            "mutation($input: DocumentAssignInput!) { documentAssign(input: $input) { userErrors { message } } }";
        let to = maker.user.unwrap().encode();
        let input = json!({ "id": ids["doc"], "expectedVersion": version, "assigneeId": to });
        let assigned = somebody.run(assign, json!({ "input": input })).await.ok();
        assert_eq!(assigned["documentAssign"]["userErrors"], json!([]));
    }

    /// Writes a note and signs it; gives its id.
    async fn sign(author: &Client, ids: &Ids) -> Value {
        let made = |field: &str, input: &str| {
            format!(
                "mutation($input: {input}!) {{ {field}(input: $input) {{ note {{ id }} userErrors {{ message }} }} }}"
            )
        };
        let input = json!({ "title": "Signed", "text": "Signed.", "patientIds": [ids["pat"]] });
        let note = author.run(&made("noteCreate", "NoteCreateInput"), json!({ "input": input })).await.ok();
        let id = note["noteCreate"]["note"]["id"].clone();
        for (version, field, input) in [(1, "noteFinalize", "NoteFinalizeInput"), (2, "noteSign", "NoteSignInput")] {
            let known = json!({ "input": { "id": id, "expectedVersion": version } });
            let done = author.run(&made(field, input), known).await.ok();
            assert_eq!(done[field]["userErrors"], json!([]), "{field}");
        }
        id
    }

    /// A request that a signed note be amended: what no single mutation makes.
    async fn amend(maker: &Client, ids: &Ids) {
        let id = Self::sign(maker, ids).await;
        let record =
            "mutation($input: AmendmentRecordInput!) { amendmentRecord(input: $input) { userErrors { message } } }";
        let input = json!({ "documentId": id, "patientId": ids["pat"], "request": "It was the left foot." });
        let recorded = maker.run(record, json!({ "input": input })).await.ok();
        assert_eq!(recorded["amendmentRecord"]["userErrors"], json!([]));
    }

    /// A message that answers none: what a mutation that may answer one does not begin with.
    async fn say(maker: &Client, ids: &Ids) {
        let send = "mutation($input: MessageSendInput!) { messageSend(input: $input) { userErrors { message } } }";
        let input = json!({ "conversationId": ids["cnv"], "body": "Example text of sufficient length." });
        let sent = maker.run(send, json!({ "input": input })).await.ok();
        assert_eq!(sent["messageSend"]["userErrors"], json!([]));
    }

    /// Somebody outside who writes: what no mutation makes.
    async fn hear(app: &TestApp, facility: FacilityId, maker: &Client, ids: &Ids) {
        app.db_execute("UPDATE whatsapp_integrations SET status = 'active', verified_at = now()").await;
        let webhook =
            Webhook::of(maker.clone(), facility, &json!(ids["wai"]), &text("phoneNumberId"), &text("appSecret"));
        let message = json!({ "id": "wamid.heard", "from": "16175550188", "type": "text", "text": { "body": "Hello?" },
            "timestamp": app.now().timestamp().to_string() });
        assert_eq!(webhook.call(&webhook.change(&[message], &[])).await, 200);
    }

    async fn membership(app: &TestApp, facility: FacilityId, user: anamnesis::ids::UserId) -> String {
        let query = format!(
            "SELECT id FROM facility_members WHERE facility_id = '{}' AND user_id = '{}'",
            facility.uuid(),
            user.uuid()
        );
        opaque("mem", &app.db_value(&query).await)
    }

    async fn find(app: &TestApp, facility: FacilityId, ids: &mut Ids) {
        for (prefix, table) in TABLES {
            let there = app.db_value(&format!("SELECT to_regclass('{table}') IS NOT NULL")).await;
            if there != "t" || ids.contains_key(*prefix) {
                continue;
            }
            let query = format!("SELECT id FROM {table} WHERE facility_id = '{}' ORDER BY id LIMIT 1", facility.uuid());
            if let Some(row) = app.db_query(&query).await.first() {
                ids.insert((*prefix).to_owned(), opaque(prefix, row[0].as_ref().unwrap()));
            }
        }
    }
}

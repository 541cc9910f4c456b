//! As much of PostgreSQL's protocol (version 3, "Message Formats" in its manual) as it takes to know what was run.

use std::collections::{HashMap, VecDeque};

/// A statement that was run.
#[derive(Debug, Clone)]
pub enum Sent {
    Simple(String),
    Prepared { text: String, parameters: Vec<Parameter> },
}

/// A parameter as it was sent, in binary form.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub type_oid: u32,
    /// `None` is NULL.
    pub value: Option<Vec<u8>>,
}

#[derive(Debug, Default, Clone)]
struct Statement {
    text: String,
    types: Vec<u32>,
}

/// A conversation over one connection.
#[derive(Debug, Default)]
pub struct Dialogue {
    /// What was run and not yet taken.
    pub sent: Vec<Sent>,
    statements: HashMap<String, Statement>,
    /// Statements whose parameters were asked for and not yet told.
    described: VecDeque<String>,
    /// By portal, of which only the unnamed one is in use.
    bound: HashMap<String, Sent>,
    /// Answers that are still to come.
    pending: u64,
    asking: Stream,
    answering: Stream,
}

/// Bytes that do not yet make a message.
#[derive(Debug, Default)]
struct Stream {
    rest: Vec<u8>,
    /// The first message of a client has no tag.
    begun: bool,
}

impl Stream {
    fn messages(&mut self, bytes: &[u8], tagged: bool) -> Vec<(u8, Vec<u8>)> {
        self.rest.extend_from_slice(bytes);
        let mut messages = Vec::new();
        loop {
            let head = usize::from(tagged || self.begun);
            let Some(length) = self.rest.get(head..head + 4) else { break };
            let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
            if self.rest.len() < head + length {
                break;
            }
            let message: Vec<u8> = self.rest.drain(..head + length).collect();
            let tag = if head == 1 { message[0] } else { 0 };
            messages.push((tag, message[head + 4..].to_vec()));
            self.begun = true;
        }
        messages
    }
}

/// Reads fields one after another; what is cut short reads as nothing.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn text(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        let text = String::from_utf8_lossy(&self.0[..end]).into_owned();
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        text
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }

    fn short(&mut self) -> i16 {
        self.bytes(2).try_into().map(i16::from_be_bytes).unwrap_or_default()
    }

    fn int(&mut self) -> i32 {
        self.bytes(4).try_into().map(i32::from_be_bytes).unwrap_or_default()
    }

    fn oids(&mut self) -> Vec<u32> {
        (0..self.short()).map(|_| self.int().cast_unsigned()).collect()
    }
}

impl Dialogue {
    /// Takes down what the client sends; says whether it had been waiting for nothing, and so begins a round trip.
    pub fn asks(&mut self, bytes: &[u8]) -> bool {
        let idle = self.pending == 0;
        for (tag, body) in self.asking.messages(bytes, false) {
            let mut fields = Fields(&body);
            match tag {
                b'Q' => {
                    self.pending += 1;
                    self.sent.push(Sent::Simple(fields.text()));
                }
                b'P' => {
                    let name = fields.text();
                    let statement = Statement { text: fields.text(), types: fields.oids() };
                    self.statements.insert(name, statement);
                }
                b'D' if body.first() == Some(&b'S') => {
                    fields.bytes(1);
                    self.described.push_back(fields.text());
                }
                b'B' => self.bind(&mut fields),
                b'E' => {
                    let portal = fields.text();
                    self.sent.extend(self.bound.remove(&portal));
                }
                b'S' => self.pending += 1,
                _ => {}
            }
        }
        idle && self.pending > 0
    }

    fn bind(&mut self, fields: &mut Fields<'_>) {
        let (portal, name) = (fields.text(), fields.text());
        for _ in 0..fields.short() {
            fields.short();
        }
        let values: Vec<Option<Vec<u8>>> = (0..fields.short())
            .map(|_| match fields.int() {
                -1 => None,
                length => Some(fields.bytes(usize::try_from(length).unwrap_or_default())),
            })
            .collect();
        let Some(statement) = self.statements.get(&name) else { return };
        let parameter =
            |(place, value)| Parameter { type_oid: statement.types.get(place).copied().unwrap_or(0), value };
        let parameters = values.into_iter().enumerate().map(parameter).collect();
        self.bound.insert(portal, Sent::Prepared { text: statement.text.clone(), parameters });
    }

    /// Looks at what the database answers.
    pub fn answers(&mut self, bytes: &[u8]) {
        for (tag, body) in self.answering.messages(bytes, true) {
            match tag {
                // ReadyForQuery: one for each of what was sent, and one when the connection is there.
                b'Z' => self.pending = self.pending.saturating_sub(1),
                b't' => {
                    if let Some(statement) = self.described.pop_front().and_then(|name| self.statements.get_mut(&name))
                    {
                        statement.types = Fields(&body).oids();
                    }
                }
                _ => {}
            }
        }
    }
}

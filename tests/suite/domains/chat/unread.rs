//! Unread counts are what a recount says, whatever happened before.

use std::sync::Arc;

use anamnesis::access::{Actor, ContextParts, Purpose, RequestContext, Role};
use anamnesis::domains::chat::conversations::service::{self as conversations, NewConversation};
use anamnesis::domains::chat::messages::change;
use anamnesis::domains::chat::messages::service::{self as messages, SendMessage};
use anamnesis::domains::chat::model::{
    ConversationKind, ConversationPriority, ConversationStatus, MessageKind, MessageSensitivity, ParticipantRole,
};
use anamnesis::domains::chat::participants::service::{self as participants, Receipt};
use anamnesis::ids::{ConversationId, MessageId, UserId};
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

use crate::harness::TestApp;

const PLAYERS: usize = 4;
const GAMES: usize = 4;
const MOVES: usize = 2_500;

struct Player {
    ctx: RequestContext,
    user: UserId,
    present: bool,
    /// How many of the first messages count as read.
    read: usize,
}

struct Said {
    id: MessageId,
    author: Option<usize>,
    deleted: bool,
    version: i32,
}

/// A conversation, and what we know of it.
struct Game {
    conversation: ConversationId,
    players: Vec<Player>,
    said: Vec<Said>,
    status: ConversationStatus,
    version: i32,
}

async fn player(app: &TestApp) -> Player {
    let user = app.db_create_user().await;
    app.db_create_member(app.facility, user, &[Role::Nurse]).await;
    let session = app.db_create_session(user).await;
    let parts = ContextParts {
        actor: Actor::User { user, session },
        facility: app.facility,
        purpose: Purpose::Treatment,
        request_id: Uuid::now_v7(),
        ip_address: None,
        user_agent: None,
    };
    Player { ctx: RequestContext::new(Arc::clone(&app.app), parts), user, present: true, read: 0 }
}

impl Game {
    async fn begin(app: &TestApp) -> Self {
        let mut players = Vec::new();
        for _ in 0..PLAYERS {
            players.push(player(app).await);
        }
        let new = NewConversation {
            kind: ConversationKind::General,
            title: None,
            patient: None,
            participants: players.iter().map(|player| player.user).collect(),
            priority: ConversationPriority::Normal,
            tags: Vec::new(),
        };
        let conversation = conversations::create_conversation(&players[0].ctx, new, None).await.unwrap();
        Self { conversation, players, said: Vec::new(), status: ConversationStatus::Active, version: 1 }
    }

    /// Learns the id of what the system said last.
    async fn happened(&mut self) {
        let owner = &self.players[0].ctx;
        let last = messages::last_messages_of(owner, &[self.conversation]).await.unwrap().remove(0);
        owner.finish().await.unwrap();
        assert_eq!(last.sequence, i64::try_from(self.said.len()).unwrap() + 1);
        self.said.push(Said { id: last.id, author: None, deleted: false, version: 1 });
    }

    async fn send(&mut self, by: usize) {
        let new = SendMessage {
            conversation: self.conversation,
            kind: MessageKind::Text,
            body: "x".into(),
            parent: None,
            sensitivity: MessageSensitivity::Normal,
            mentions: Vec::new(),
            documents: Vec::new(),
        };
        let id = messages::send_message(&self.players[by].ctx, new, None).await.unwrap();
        self.said.push(Said { id, author: Some(by), deleted: false, version: 1 });
    }

    async fn step(&mut self, random: &mut StdRng) {
        let present: Vec<usize> = (0..PLAYERS).filter(|place| self.players[*place].present).collect();
        let who = present[random.random_range(0..present.len())];
        let ctx = self.players[who].ctx.clone();
        let place = random.random_range(0..self.said.len().max(1));
        match random.random_range(0..100) {
            0..45 => self.send(who).await,
            _ if self.said.is_empty() => {}
            45..55 => {
                let said = &mut self.said[place];
                if said.author == Some(who) && !said.deleted {
                    change::edit_message(&ctx, said.id, said.version, "y".into(), None, None).await.unwrap();
                    said.version += 1;
                }
            }
            55..67 => {
                let said = &mut self.said[place];
                if said.author.is_some() && !said.deleted && (who == 0 || said.author == Some(who)) {
                    change::delete_message(&ctx, said.id, None).await.unwrap();
                    said.deleted = true;
                }
            }
            67..80 => {
                participants::receive(&ctx, self.said[place].id, Receipt::Read, None).await.unwrap();
                let player = &mut self.players[who];
                player.read = player.read.max(place + 1);
            }
            80..88 => {
                participants::receive(&ctx, self.said[place].id, Receipt::Unread, None).await.unwrap();
                let player = &mut self.players[who];
                player.read = player.read.min(place);
            }
            88..93 if who != 0 => {
                participants::leave(&ctx, self.conversation, None).await.unwrap();
                self.players[who].present = false;
                self.happened().await;
            }
            93..98 => {
                let Some(back) = (0..PLAYERS).find(|place| !self.players[*place].present) else { return };
                let users = vec![self.players[back].user];
                let owner = self.players[0].ctx.clone();
                participants::invite(&owner, self.conversation, users, ParticipantRole::Member, None).await.unwrap();
                self.happened().await;
                (self.players[back].present, self.players[back].read) = (true, self.said.len());
            }
            _ => {
                let status = match self.status {
                    ConversationStatus::Active => ConversationStatus::Escalated,
                    _ => ConversationStatus::Active,
                };
                conversations::set_status(&ctx, self.conversation, self.version, status, None, None).await.unwrap();
                (self.status, self.version) = (status, self.version + 1);
                self.happened().await;
            }
        }
    }

    /// Compares what every player is told with a recount.
    async fn check(&self) {
        for (place, player) in self.players.iter().enumerate() {
            let told = participants::unread_of(&player.ctx, &[self.conversation]).await.unwrap();
            let total = participants::unread_total(&player.ctx).await.unwrap();
            player.ctx.finish().await.unwrap();
            let unread = self.said.iter().skip(player.read).filter(|said| !said.deleted && said.author != Some(place));
            let unread = i64::try_from(unread.count()).unwrap();
            let expected = player.present.then_some(unread);
            assert_eq!(told.get(&self.conversation).copied(), expected);
            assert_eq!(total, (expected.unwrap_or(0), i64::from(expected.is_some_and(|unread| unread > 0))));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_counts_equal_a_recount_after_ten_thousand_random_operations() {
    let app = TestApp::start().await;
    join_all((0..GAMES).map(|seed| {
        let app = &app;
        async move {
            let mut game = Game::begin(app).await;
            let mut random = StdRng::seed_from_u64(seed as u64);
            for turn in 0..MOVES {
                game.step(&mut random).await;
                if turn % 25 == 0 {
                    game.check().await;
                }
            }
            game.check().await;
        }
    }))
    .await;
}

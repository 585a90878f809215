//! The search for an order the provider never named to us (contract §6.5): there is no filter for our mark, so lists are
//! read. Only a list read whole says that there is nothing. One walk over a list answers all who look for something in
//! it, so that what thousands of orders cost is pages, not pages for each.

mod desk;
mod mark;
mod person;
#[cfg(test)]
mod tests;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use issuance_domain::planted::{self, Bug};
use issuance_domain::{Holder, Order, Phase, RefusalClass, Scan, State, Submission};
use issuance_executor::Silence;
use issuance_store::SealedRequest;
use issuance_uqpay::{AccountId, Card, Cardholder, CardholderId, Page, PageRequest};

use self::desk::{Desk, Desks, ReadPage, Told, Visit};
use self::mark::{Marked, mark};
use self::person::Person;
use crate::provider::{UqpayProvider, account};
use crate::words;

/// What a search found.
pub(crate) enum Search {
    /// The card with our mark, as it is now.
    Found(Box<Card>),
    /// Everything was read, and it is not there.
    Absent(Scan),
    /// Not there, as far as was read, which proves nothing.
    Incomplete,
}

/// Where searches meet: by the account whose list is read, and by whose cards these are if not everybody's.
#[derive(Debug, Default)]
pub(crate) struct Searches {
    cards: Desks<(Option<AccountId>, Option<CardholderId>), Marked>,
    people: Desks<Option<AccountId>, Person>,
}

/// How long one task reads on, for itself and for others. With the longest call behind it, it is still well within a
/// task's time.
const VISIT: Duration = Duration::from_secs(10);

impl UqpayProvider {
    /// Looks for the card with our mark; when it is not there and that matters, for the person we sent as well.
    pub(crate) async fn search(
        &self,
        order: &Order,
        sealed: Option<&SealedRequest>,
    ) -> Result<Search, Silence> {
        let account = account(order);
        // A card's person never changes (contract §2.3).
        let known = order
            .terms
            .cardholder_id
            .as_ref()
            .and_then(|id| CardholderId::parse(id.as_str()).ok());
        let clock = self.clock();
        let visit = Visit {
            clock,
            until: clock.steady() + VISIT,
            most_pages: self.search_pages(),
        };
        let people = self.searches().people.desk(account.clone(), clock);
        let matters = is_spent(order) && known.is_none() && !planted::is(Bug::PersonUnsought);
        if let Some(sealed) = sealed.filter(|_| matters) {
            // Asked before the cards are read: both lists may be read in the same time.
            people.register(
                order.id,
                || Person::of(&sealed.personal.provider_fields()),
                clock,
            )?;
        }
        let asked = Asked {
            order,
            account: account.as_ref(),
            visit,
        };
        let search = self
            .search_lists(&asked, known.as_ref(), matters.then_some(sealed), &people)
            .await?;
        // Told, and so forgotten: asked again, the lists are read again.
        people.forget(order.id);
        self.cards(&asked, known.as_ref()).forget(order.id);
        Ok(search)
    }

    /// `person` is whom we sent when that matters; what the vault does not give proves nothing.
    async fn search_lists(
        &self,
        asked: &Asked<'_>,
        known: Option<&CardholderId>,
        person: Option<Option<&SealedRequest>>,
        people: &Desk<Person>,
    ) -> Result<Search, Silence> {
        let all = match self.search_cards(asked, known).await? {
            Told::Found(marked) => return self.read_anew(asked, &marked).await,
            Told::Read(_, walked) => walked,
            Told::Nothing => return Ok(Search::Incomplete),
        };
        let Some(sealed) = person else {
            return Ok(Search::Absent(all.into()));
        };
        if sealed.is_none() {
            return Ok(Search::Incomplete);
        }
        let pages = PeoplePages {
            provider: self,
            account: asked.account,
        };
        let (found, walked) = match people.answer(asked.order.id, &pages, asked.visit).await? {
            Told::Read(person, walked) => (person.found, walked),
            Told::Found(_) | Told::Nothing => return Ok(Search::Incomplete),
        };
        let all = all.and(walked);
        let Some((id, likeness)) = found else {
            return Ok(Search::Absent(all.into()));
        };
        let theirs = self.search_cards(asked, Some(&id)).await?;
        let search = match theirs {
            Told::Found(marked) => self.read_anew(asked, &marked).await?,
            Told::Read(_, walked) => Search::Absent(Scan {
                holder: words::cardholder_id(&id).map(|id| Holder { id, likeness }),
                ..all.and(walked).into()
            }),
            Told::Nothing => Search::Incomplete,
        };
        self.cards(asked, Some(&id)).forget(asked.order.id);
        Ok(search)
    }

    async fn search_cards(
        &self,
        asked: &Asked<'_>,
        holder: Option<&CardholderId>,
    ) -> Result<Told<Marked>, Silence> {
        let desk = self.cards(asked, holder);
        desk.register(asked.order.id, Marked::default, asked.visit.clock)?;
        let pages = CardPages {
            provider: self,
            account: asked.account,
            holder,
        };
        desk.answer(asked.order.id, &pages, asked.visit).await
    }

    /// The card a list showed, as it is now: the list may have been read a while ago, and for somebody else.
    async fn read_anew(&self, asked: &Asked<'_>, marked: &Marked) -> Result<Search, Silence> {
        let Some(id) = &marked.0 else {
            return Ok(Search::Incomplete);
        };
        let card = self.read_card(asked.order, id).await?;
        Ok(match card {
            Some(card) if mark(&card).is_none_or(|mark| mark == asked.order.id) => {
                Search::Found(Box::new(card))
            }
            Some(_) | None => {
                tracing::warn!(order_id = %asked.order.id, "a card the list showed is not what it showed");
                Search::Incomplete
            }
        })
    }

    fn cards(&self, asked: &Asked<'_>, holder: Option<&CardholderId>) -> Arc<Desk<Marked>> {
        let key = (asked.account.cloned(), holder.cloned());
        self.searches().cards.desk(key, asked.visit.clock)
    }
}

/// Who asks, and how far they may go.
struct Asked<'a> {
    order: &'a Order,
    account: Option<&'a AccountId>,
    visit: Visit<'a>,
}

struct CardPages<'a> {
    provider: &'a UqpayProvider,
    account: Option<&'a AccountId>,
    holder: Option<&'a CardholderId>,
}

#[async_trait]
impl ReadPage<Card> for CardPages<'_> {
    async fn page(&self, request: PageRequest) -> Result<Option<Page<Card>>, Silence> {
        let Self {
            provider,
            account,
            holder,
        } = self;
        let page = provider.card_page(*account, *holder, request).await?;
        if let (Some(page), None) = (&page, holder) {
            provider.lists().saw(*account, request.number(), page);
        }
        Ok(page)
    }
}

struct PeoplePages<'a> {
    provider: &'a UqpayProvider,
    account: Option<&'a AccountId>,
}

#[async_trait]
impl ReadPage<Cardholder> for PeoplePages<'_> {
    async fn page(&self, request: PageRequest) -> Result<Option<Page<Cardholder>>, Silence> {
        self.provider.cardholder_page(self.account, request).await
    }
}

/// Whether the create call's key is spent and its outcome asked for: only then the person matters.
fn is_spent(order: &Order) -> bool {
    let State::Requested {
        submission: Submission { phase, .. },
    } = &order.state
    else {
        return false;
    };
    match phase {
        Phase::Expired { .. } => true,
        Phase::Refused { refusal } => matches!(
            refusal.class,
            RefusalClass::Duplicate | RefusalClass::KeyConflict
        ),
        Phase::Owed { .. } | Phase::InFlight { .. } | Phase::Done => false,
    }
}

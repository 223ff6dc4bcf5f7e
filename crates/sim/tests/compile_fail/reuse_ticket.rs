//! A used ticket stays used.
use tacita_privacy::BudgetTicket;

fn reuse(ticket: &mut BudgetTicket) {
    ticket.used = false;
}

fn main() {}

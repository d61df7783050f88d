#include "server/policy/sync_policy.h"

namespace syncline {

PolicyState SyncPolicy::Save() const {
  PolicyState state;
  state.set_step(clock());
  for (const auto& [rank, member] : members().members()) {
    PolicyMember* saved = state.add_members();
    saved->set_rank(rank);
    saved->set_incarnation(member.incarnation);
    saved->set_clock(member.clock);
    saved->set_state(static_cast<PolicyMember::State>(member.state));
  }
  return state;
}

void SyncPolicy::LoadMembers(const PolicyState& state, ClockTable* members) {
  for (const PolicyMember& member : state.members()) {
    members->Set(member.rank(), {member.incarnation(), member.clock(),
                                 static_cast<ClockTable::State>(member.state())});
  }
}

}  // namespace syncline

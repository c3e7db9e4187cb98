#include "gateway/core/ranked_line.hpp"

#include "longhaul/base/assert.hpp"

namespace longhaul::gateway {
namespace {

// Tickets are neighbours; their hashes (splitmix64's finalizer) are not.
std::uint64_t weight(const Waiter& waiter) {
    std::uint64_t z = waiter.ticket + 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

std::uint32_t count_of(const Waiter* waiter) { return waiter ? waiter->count : 0; }

void recount(Waiter& waiter) {
    waiter.count = 1 + count_of(waiter.left) + count_of(waiter.right);
}

}  // namespace

void RankedLine::replace(Waiter& old, Waiter* by) {
    if (by) by->parent = old.parent;
    if (!old.parent)
        root_ = by;
    else if (old.parent->left == &old)
        old.parent->left = by;
    else
        old.parent->right = by;
}

void RankedLine::rotate_up(Waiter& waiter) {
    Waiter& parent = *waiter.parent;
    replace(parent, &waiter);
    Waiter*& inner = parent.left == &waiter ? waiter.right : waiter.left;
    (parent.left == &waiter ? parent.left : parent.right) = inner;
    if (inner) inner->parent = &parent;
    inner = &parent;
    parent.parent = &waiter;
    recount(parent);
    recount(waiter);
}

void RankedLine::insert(Waiter& waiter) {
    LH_ASSERT(waiter.count == 0);
    waiter.parent = waiter.left = waiter.right = nullptr;
    waiter.count = 1;
    if (!front_ || waiter.ticket < front_->ticket) front_ = &waiter;
    if (!root_) {
        root_ = &waiter;
        return;
    }
    Waiter* place = root_;
    while (true) {
        LH_ASSERT(waiter.ticket != place->ticket);
        ++place->count;
        Waiter*& side = waiter.ticket < place->ticket ? place->left : place->right;
        if (!side) {
            side = &waiter;
            waiter.parent = place;
            break;
        }
        place = side;
    }
    while (waiter.parent && weight(waiter) > weight(*waiter.parent)) rotate_up(waiter);
}

void RankedLine::erase(Waiter& waiter) {
    if (front_ == &waiter) front_ = next(waiter);
    while (waiter.left && waiter.right)
        rotate_up(weight(*waiter.left) > weight(*waiter.right) ? *waiter.left : *waiter.right);
    replace(waiter, waiter.left ? waiter.left : waiter.right);
    for (Waiter* above = waiter.parent; above; above = above->parent) --above->count;
    waiter.parent = waiter.left = waiter.right = nullptr;
    waiter.count = 0;
}

Waiter* RankedLine::next(const Waiter& waiter) {
    if (waiter.right) {
        Waiter* found = waiter.right;
        while (found->left) found = found->left;
        return found;
    }
    const Waiter* from = &waiter;
    while (from->parent && from->parent->right == from) from = from->parent;
    return from->parent;
}

std::size_t RankedLine::before(std::uint64_t ticket) const {
    std::size_t smaller = 0;
    const Waiter* place = root_;
    while (place) {
        if (ticket <= place->ticket) {
            place = place->left;
        } else {
            smaller += 1 + count_of(place->left);
            place = place->right;
        }
    }
    return smaller;
}

void RankedLine::check_invariants() const {
    std::size_t counted = 0;
    const Waiter* last = nullptr;
    for (const Waiter* waiter = front_; waiter; waiter = next(*waiter)) {
        LH_ASSERT(!last || last->ticket < waiter->ticket);
        LH_ASSERT(waiter->count == 1 + count_of(waiter->left) + count_of(waiter->right));
        LH_ASSERT(!waiter->parent || weight(*waiter->parent) >= weight(*waiter));
        last = waiter;
        ++counted;
    }
    LH_ASSERT(counted == size());
}

}  // namespace longhaul::gateway

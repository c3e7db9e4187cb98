#include "gateway/core/ranked_line.hpp"

#include "longhaul/base/assert.hpp"

#include <initializer_list>

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

void recount(Waiter& waiter) { waiter.count = 1 + count_of(waiter.left) + count_of(waiter.right); }

// Those before `ticket`, and the others.
void split(Waiter* tree, std::uint64_t ticket, Waiter*& left, Waiter*& right) {
    if (!tree) {
        left = right = nullptr;
        return;
    }
    if (tree->ticket < ticket) {
        split(tree->right, ticket, tree->right, right);
        left = tree;
    } else {
        split(tree->left, ticket, left, tree->left);
        right = tree;
    }
    recount(*tree);
}

// All of `left` are before all of `right`.
Waiter* merged(Waiter* left, Waiter* right) {
    if (!left || !right) return left ? left : right;
    const bool left_above = weight(*left) > weight(*right);
    Waiter* top = left_above ? left : right;
    if (left_above)
        left->right = merged(left->right, right);
    else
        right->left = merged(left, right->left);
    recount(*top);
    return top;
}

}  // namespace

void RankedLine::insert(Waiter& waiter) {
    LH_ASSERT(waiter.count == 0);
    if (!front_ || waiter.ticket < front_->ticket) front_ = &waiter;
    const std::uint64_t own = weight(waiter);
    Waiter** place = &root_;
    while (*place && weight(**place) > own) {
        ++(*place)->count;
        place = waiter.ticket < (*place)->ticket ? &(*place)->left : &(*place)->right;
    }
    LH_ASSERT(!*place || waiter.ticket != (*place)->ticket);
    split(*place, waiter.ticket, waiter.left, waiter.right);
    recount(waiter);
    *place = &waiter;
}

void RankedLine::erase(Waiter& waiter) {
    if (front_ == &waiter) front_ = after(waiter.ticket);
    Waiter** place = &root_;
    while (*place != &waiter) {
        LH_ASSERT(*place != nullptr);
        --(*place)->count;
        place = waiter.ticket < (*place)->ticket ? &(*place)->left : &(*place)->right;
    }
    *place = merged(waiter.left, waiter.right);
    waiter.left = waiter.right = nullptr;
    waiter.count = 0;
}

Waiter* RankedLine::after(std::uint64_t ticket) const {
    Waiter* found = nullptr;
    Waiter* place = root_;
    while (place) {
        if (ticket < place->ticket) {
            found = place;
            place = place->left;
        } else {
            place = place->right;
        }
    }
    return found;
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
    for (const Waiter* waiter = front_; waiter; waiter = after(waiter->ticket)) {
        LH_ASSERT(!last || last->ticket < waiter->ticket);
        LH_ASSERT(waiter->count == 1 + count_of(waiter->left) + count_of(waiter->right));
        for (const Waiter* below : {waiter->left, waiter->right})
            LH_ASSERT(!below || weight(*below) < weight(*waiter));
        last = waiter;
        ++counted;
    }
    LH_ASSERT(counted == size());
}

}  // namespace longhaul::gateway

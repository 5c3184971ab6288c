#include "net/flow.h"

#include <utility>

namespace obs::net {

void Flow::send(Piece piece) {
    bool needed = false;
    {
        const std::lock_guard lock(mutex_);
        if (ended_ || piece == nullptr || piece->empty()) return;
        waiting_ += piece->size();
        pieces_.push_back(std::move(piece));
        needed = !std::exchange(woken_, true);
    }
    wake_up(needed);
}

std::size_t Flow::waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
}

void Flow::end(Piece last, Unsent unsent) {
    bool needed = false;
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(ended_, true)) return;
        if (unsent == Unsent::drop) {
            pieces_.clear();
            waiting_ = 0;
        }
        if (last != nullptr && !last->empty()) {
            waiting_ += last->size();
            pieces_.push_back(std::move(last));
        }
        needed = !std::exchange(woken_, true);
    }
    wake_up(needed);
}

Piece Flow::next() {
    const std::lock_guard lock(mutex_);
    woken_ = false;
    if (pieces_.empty()) return nullptr;
    Piece piece = std::move(pieces_.front());
    pieces_.pop_front();
    waiting_ -= piece->size();
    return piece;
}

bool Flow::ending() const {
    const std::lock_guard lock(mutex_);
    return ended_;
}

bool Flow::ended() const {
    const std::lock_guard lock(mutex_);
    return ended_ && pieces_.empty();
}

void Flow::close() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    pieces_.clear();
    waiting_ = 0;
}

void Flow::wake_up(bool needed) {
    if (needed) mailbox_->post({recipient_, request_, std::nullopt});
}

}  // namespace obs::net

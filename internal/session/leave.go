package session

import "time"

// goingAway is the reason of close code 1001.
const goingAway = "the server is going away"

// leave closes the session with 1001, once what has begun for its client is
// done and answered. Nothing begins any more.
//
//	serving ──leave──► leaving ─last complete─► closing ──► ended
//	                      └──LeaveTimeout──►────┘
func (c *Session) leave() {
	c.mu.Lock()
	c.leaving = true
	busy := c.begun > 0
	c.mu.Unlock()
	if busy {
		time.AfterFunc(c.server.cfg.LeaveTimeout, c.goAway)
		return
	}
	c.goAway()
}

func (c *Session) goAway() { c.close(codeGoingAway, goingAway) }

// undertake tells whether something may begin; if so, complete follows once it is
// answered.
func (c *Session) undertake() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.closing || c.leaving {
		return false
	}
	c.begun++
	return true
}

// complete ends what undertake let begin.
func (c *Session) complete() {
	c.mu.Lock()
	c.begun--
	last := c.leaving && c.begun == 0
	c.mu.Unlock()
	if last {
		c.goAway()
	}
}

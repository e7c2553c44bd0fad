package redisbroker

import (
	_ "embed" // the scripts

	"github.com/redis/rueidis"
)

// The scripts: each is one step of the server, which nothing comes between.
var (
	//go:embed lua/queue.lua
	queueLua string
	//go:embed lua/send.lua
	sendLua string
	//go:embed lua/deliver.lua
	deliverLua string
	//go:embed lua/take.lua
	takeLua string
	//go:embed lua/publish.lua
	publishLua string
	//go:embed lua/join.lua
	joinLua string
	//go:embed lua/append.lua
	appendLua string

	sendScript    = rueidis.NewLuaScript(queueLua + sendLua)
	deliverScript = rueidis.NewLuaScript(queueLua + deliverLua)
	takeScript    = rueidis.NewLuaScript(queueLua + takeLua)
	publishScript = rueidis.NewLuaScript(queueLua + publishLua)
	joinScript    = rueidis.NewLuaScript(queueLua + joinLua)
	appendScript  = rueidis.NewLuaScript(queueLua + appendLua)
)

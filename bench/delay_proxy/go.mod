module bench/delay_proxy

go 1.25

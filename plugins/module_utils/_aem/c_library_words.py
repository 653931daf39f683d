# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages of the C library about failed connections, in each language that it has besides English.

Java adds them after the class of an exception. Regular expressions, from the catalogs of the GNU C library 2.36.
"""

# Connection refused
REFUSED = (
    'verbindungsaufbau abgelehnt|connexion refusée|接続を拒否されました|conexión rehusada|connessione rifiutata|conexão recusada|'
    'ligação recusada|拒绝连接|連線被拒絕|연결이 거부됨|verbinding is geweigerd|połączenie odrzucone|в соединении отказано|'
    "адмоўлена ў злучэньні|отказано свързване|s['\u2019]ha refusat la connexió|spojení odmítnuto|opkobling nægtet|"
    'απόρριψη σύνδεσης|konekto rifuziĝas|yhteys torjuttu|conexión rexeitada|veza odbijena|kapcsolat elutasítva|'
    'koneksi ditolak|prisijungimas atmestas|oppkobling nektes|spojenie odmietnuté|веза је одбијена|'
    "förbindelsen förvägrad|bağlantı reddedildi|у з['\u2019]єднанні відмовлено|kết nối bị từ chối"
)
# Connection timed out
TIMED_OUT = (
    "wartezeit für die verbindung ist abgelaufen|expiration du délai d['\u2019]attente|接続がタイムアウト|"
    'expiró el tiempo de conexión|connessione scaduta|tempo esgotado para conexão|连接超时|連線超過時間|연결 시간 초과|'
    'verbinding is verlopen|przekroczony czas oczekiwania na połączenie|время ожидания соединения истекло|'
    'ligação expirada|просрочена мрежова операция|la connexió ha expirat|spojení bylo příliš dlouho neaktivní|'
    'opkoblingen overskred tidsgrænsen|λήξη σύνδεσης|konekto transpasis limtempon|yhteys aikakatkaistu|'
    'a conexión espirou|veza je prekinuta zbog ograničenja|időtúllépés a kapcsolatban|'
    'koneksi kehabisan waktu|baigėsi prisijungimo laukimo laikas|oppkoblingen overskred tidsgrensen|'
    'časový limit pre spojenie vypršal|истекло је време везе|förbindelsens tidsgräns löpte ut|bağlantıda zaman aşımı|'
    "перевищено інтервал очікування з['\u2019]єднання|kết nối đã quá hạn"
)
# Network is unreachable
NETWORK_UNREACHABLE = (
    "netzwerk (?:ist )?nicht erreichbar|réseau (?:n['\u2019]est pas accessible|inaccessible)|ネットワークに届きません|"
    'la red es inaccesible|la rete non è raggiungibile|a rede está fora de alcance|网络不可达|無法接觸網路|네트워크가 접근 불가능|'
    'netwerk is onbereikbaar|sieć jest niedostępna|сеть недоступна|rede inacessível|мрежата е недостъпна|'
    'la xarxa és inabastable|síť není dostupná|netværket er ikke tilgængeligt|το δίκτυο δεν είναι προσπελάσιμο|'
    'la reto ne atingeblas|verkkoa ei tavoiteta|non se pode chegar á rede|mreža nije dostupna|a hálózat elérhetetlen|'
    'jaringan tidak dapat dicapai|tinklas neprieinamas|nettverket er ikke tilgjengelig|sieť nie je dostupná|'
    'omrežje ni dostopno|мрежа је недостижна|nätverket kan inte nås|ağ erişilebilir durumda değil|'
    'не вдалося отримати доступ до мережі|không thể kết nối mạng'
)
# No route to host
NO_ROUTE = (
    "keine route zum zielrechner|aucun chemin d['\u2019]accès pour atteindre|ホストへの経路がありません|"
    'no existe ninguna ruta hasta|'
    'nessun instradamento per|não há rota para o host|没有到主机的路由|找不到通往該主機的路由|호스트로 갈 루트가 없음|'
    'geen route naar host|'
    'brak trasy do hosta|нет маршрута до узла|sem caminho para o anfitrião|няма маршрут до компютъра|'
    "no hi ha cap camí cap a l['\u2019]estació|k počítači neexistuje cesta|ingen rute til værtsmaskinen|"
    'δεν υπάρχει διαδρομή στο σύστημα|gastiganto ne atingeblas|reititystä koneeseen ei ole|'
    'non hai unha rota ao servidor|nema trase|nincs útvonal a gép felé|tidak ada rute ke host|nėra kelio iki serverio|'
    'ingen rute til vertsmaskinen|cesta k počítaču neexistuje|нема путање до рачунара|ingen väg till värd|'
    'makinaya ağ üzerinden yol yok|немає маршруту до вузла|không có đường dẫn đến máy'
)
# Name or service not known
NO_SUCH_NAME = (
    'name oder der dienst ist nicht bekannt|nom ou service inconnu|名前またはサービスが不明|nombre o servicio desconocido|'
    'nome o servizio sconosciuto|nome ou serviço desconhecido|未知的名称或服务|не е известно името на услугата|'
    'el nom o servei no és conegut|neznámé jméno nebo služba|navn eller tjeneste ukendt|'
    'το όνομα ή η υπηρεσία δεν είναι γνωστά|nomo aŭ servo ne konatas|nimeä tai palvelua ei tunneta|'
    'nome ou servicio descoñecido|ime ili servis nije poznato|a név vagy a szolgáltatás nem ismert|'
    'nama atau layanan tidak diketahui|이름 혹은 서비스를 알 수 없습니다|pavadinimas arba tarnyba nežinoma|'
    'navn eller tjeneste ukjent|'
    'naam of dienst is niet bekend|ta nazwa lub usługa jest nieznana|неизвестное имя или служба|'
    'názov alebo služba neznáme|ime ali storitev ni poznana|није познат назив или сервер|namn eller tjänst okänd|'
    'sim ya da servis bilinmiyor|невідома назва чи сервіс|không rõ tên hoặc dịch vụ|名稱或服務未知'
)
# Connection reset by peer, and broken pipe
RESET = (
    'vom kommunikationspartner zurückgesetzt|connexion r(?:é-?|e)initialisée|接続が相手からリセット|conexión reinicializada|'
    'connessione interrotta dal corrispondente|conexão fechada pela outra ponta|连接被对方重设|連線被對方重設|상대편이 연결을 끊음|'
    'verbinding is weggevallen|połączenie zerwane|соединение разорвано|ligação reposta pelo peer|'
    'datenübergabe unterbrochen|relais brisé|パイプが壊れ|tubería rota|pipe interrotta|pipe quebrado|túnel quebrado|断开的管道|'
    '管線損壞|파이프가 깨어짐|gebroken pijp|przerwany potok|обрыв канала|едностранно прекъсване на връзката от отсрещната страна|'
    'la màquina remota ha reiniciat la connexió|spojení zrušeno druhou stranou|forbindelsen brudt i den anden ende|'
    'η σύνδεση έκλεισε από το ταίρι|konekto simple malekis|vastapää sulki yhteyden|'
    'conexión reiniciada polo outro estremo|poveznica je prekinuta od druge strane|a kapcsolatot bontotta a távoli fél|'
    'koneksi direset oleh peer|prisijungimas nutrauktas kito serverio|forbindelsen brutt i den andre enden|'
    'spojenie zrušené druhou stranou|везу је поново поставио парњак|förbindelse borttagen av partnern|'
    "bağlantı karşıdan kesildi|вузол розірвав з['\u2019]єднання|kết nối bị đặt lại bởi ngang hàng|зламаны трубаправод|"
    "прекъснат канал|la canonada s['\u2019]ha trencat|roura přerušena|kanalen blev brudt|διακοπείσα σωλήνωση|rompita dukto|"
    'katkennut putki|canalización rota|prekinuta cijev|törött adatcsatorna|pipa rusak|nutrūko saitas|røret ble brutt|'
    'prerušená rúra|prekinjen cevovod|оштећена спојка|brutet rör|veri alınamıyor|канал обірвано|ống dẫn bị hỏng'
)
